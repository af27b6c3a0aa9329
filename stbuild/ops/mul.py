"""Mul: the product of two vectors, element by element."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Call, call
from stbuild.ir.op import CheckContext, StreamingOp
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Read, Repeat, Write
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require_width
from stbuild.ops.datapaths import ELEMENT, rounded_product


@dataclass(frozen=True, kw_only=True)
class Mul(StreamingOp):
    """`a * b`."""

    operand_fields: ClassVar[tuple[str, ...]] = ("a", "b")
    any_frac: ClassVar[bool] = True
    any_width: ClassVar[bool] = True

    a: str
    b: str

    def check(self, context: CheckContext) -> None:
        """Both are as wide as the result."""
        for name in self.operands:
            require_width(self, context.widths[name], self.width)

    def program(self, here: LaunchContext) -> Program:
        """Word by word of both."""
        (a, b), y = here.reads, here.writes[0]
        words = here.tokens * self.stream_words
        return here.each_run(Repeat(words, (Read(a), Read(b), Write((y,)))))

    def call(self, site: CallSite) -> Call:
        """`stb::mul`."""
        shift = site.fracs[0] + site.fracs[1] - self.frac
        return call("pointwise", "mul", **site.times, WIDTH=self.stream_words * LANES, SHIFT=shift)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """16 products."""
        return rounded_product(ELEMENT, ELEMENT)
