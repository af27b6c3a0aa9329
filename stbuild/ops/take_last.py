"""TakeLast: the gate in front of the block that makes the logits."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.parts import Hold, Part
from stbuild.ir.program import Program, moves, reads
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ops.datapaths import WORD


@dataclass(frozen=True, kw_only=True)
class TakeLast(Streaming):
    """Lets only the last token of a launch pass, and only if the head runs."""

    words: int

    def program(self, here: LaunchContext) -> Program:
        """All tokens in, the last one out."""
        x, y = here.reads[0], here.writes[0]
        tokens = here.launch.tokens
        if not here.launch.head:
            return (reads(x, tokens * self.words),)
        return reads(x, (tokens - 1) * self.words), moves(x, y, self.words)

    def call(self, site: CallSite) -> Call:
        """`stb::take_last`."""
        return call("plumbing", "take_last", WORDS=self.words)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word that was read, and one that is written."""
        return (Hold(bits=2 * WORD),)
