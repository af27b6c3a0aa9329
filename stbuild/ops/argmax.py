"""Argmax: the token with the largest logit."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.parts import Hold, Largest, Part
from stbuild.ir.program import Program, Write, moves
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ir.types import LANES
from stbuild.ops.datapaths import ELEMENT, WORD


@dataclass(frozen=True, kw_only=True)
class Argmax(Streaming):
    """Logits to memory and their largest one's index as the token."""

    words: int

    def program(self, here: LaunchContext) -> Program:
        """The logits word by word, then the token."""
        logits, token = here.writes
        copied = moves(here.reads[0], logits, self.words)
        return (copied, Write((token,))) if here.launch.head else ()

    def call(self, site: CallSite) -> Call:
        """`stb::argmax`."""
        return call("sample", "argmax", WORDS=self.words, VALID=site.vocab_size)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """The largest with its index, among 16 and the best so far."""
        return Largest(inputs=2 * LANES, bits=ELEMENT), Hold(bits=3 * WORD)
