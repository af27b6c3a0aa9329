"""LoopTail: where a value leaves a block that repeats."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.parts import Hold, Part
from stbuild.ir.program import Program, Repeat, moves
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ops.datapaths import WORD


@dataclass(frozen=True, kw_only=True)
class LoopTail(Streaming):
    """Sends the block's output `slot` back to its head, the last one to the block behind."""

    slot: int
    words: int

    def program(self, here: LaunchContext) -> Program:
        """All runs but the last go back."""
        back, leave = (moves(here.reads[0], y, here.launch.tokens * self.words) for y in here.writes)
        return Repeat(here.runs - 1, (back,), runs_of=here.block), leave

    def call(self, site: CallSite) -> Call:
        """`stb::loop_tail`."""
        return call("plumbing", "loop_tail", RUNS=site.runs, WORDS=self.words)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word that was read, and one that is written."""
        return (Hold(bits=2 * WORD),)
