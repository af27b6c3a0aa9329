"""Slice: some of the elements of a vector that follow each other."""

from dataclasses import dataclass, replace
from typing import Self

from stbuild.ir.call import Call, call
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.parts import Hold, Part
from stbuild.ir.program import Program, Repeat, moves, reads
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require, require_multiple
from stbuild.ops.datapaths import WORD


@dataclass(frozen=True, kw_only=True)
class Slice(StreamingOp):
    """Elements `start` to `start + width` of `x`; both multiples of 16."""

    x: str
    start: int

    def check(self, context: CheckContext) -> None:
        """Whole words within the operand."""
        require_multiple(self, self.start)
        require(self, self.start + self.width <= context.widths[self.x], f"it ends behind {self.x!r}")

    def fixed(self, frac: int, values: Values) -> Self:
        """With the fraction bits of the operand."""
        return replace(self, frac=values.frac(self.x))

    def program(self, here: LaunchContext) -> Program:
        """All words of a vector in, some of them out."""
        x, y = here.reads[0], here.writes[0]
        ahead, kept = self.start // LANES, self.width // LANES
        behind = here.words[0] - ahead - kept
        return here.each_run(Repeat(here.tokens, (reads(x, ahead), moves(x, y, kept), reads(x, behind))))

    def call(self, site: CallSite) -> Call:
        """`stb::slice`."""
        return call(
            "plumbing", "slice", **site.times, WIDTH_IN=site.words[0] * LANES, START=self.start,
            WIDTH_OUT=self.width,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word that was read, and one that is written."""
        return (Hold(bits=2 * WORD),)
