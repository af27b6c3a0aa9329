"""LoopHead: where a value enters a block that repeats."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.parts import Choose, Hold, Part
from stbuild.ir.program import Program, Repeat, moves
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ops.datapaths import WORD


@dataclass(frozen=True, kw_only=True)
class LoopHead(Streaming):
    """Takes the block's input `slot` from the block before, later ones from its own tail."""

    slot: int
    words: int

    def program(self, here: LaunchContext) -> Program:
        """The first run from before, the others from the way back."""
        first, back = (moves(x, here.writes[0], here.launch.tokens * self.words) for x in here.reads)
        return first, Repeat(here.runs - 1, (back,), runs_of=here.block)

    def call(self, site: CallSite) -> Call:
        """`stb::loop_head`."""
        return call("plumbing", "loop_head", RUNS=site.runs, WORDS=self.words)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A choice of where from."""
        return Choose(ways=2, bits=WORD), Hold(bits=WORD)
