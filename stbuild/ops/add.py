"""Add: the sum of two vectors."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call, call
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Read, Repeat, Write
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require_width
from stbuild.ops.datapaths import saturated_sum


@dataclass(frozen=True, kw_only=True)
class Add(StreamingOp):
    """`a + b`."""

    operand_fields: ClassVar[tuple[str, ...]] = ("a", "b")
    any_frac: ClassVar[bool] = True
    summands: ClassVar[tuple[str, ...]] = ("a", "b")
    any_width: ClassVar[bool] = True

    a: str
    b: str

    def check(self, context: CheckContext) -> None:
        """Both are as wide as the result."""
        for name in self.operands:
            require_width(self, context.widths[name], self.width)

    def fixed(self, frac: int, values: Values) -> Self:
        """Of two values with the same fraction bits."""
        return replace(self, frac=frac, a=values.rescaled(self.a, frac), b=values.rescaled(self.b, frac))

    def program(self, here: LaunchContext) -> Program:
        """Word by word of both."""
        (a, b), y = here.reads, here.writes[0]
        words = here.tokens * self.stream_words
        return here.each_run(Repeat(words, (Read(a), Read(b), Write((y,)))))

    def call(self, site: CallSite) -> Call:
        """`stb::add`."""
        return call("pointwise", "add", **site.times, WIDTH=self.stream_words * LANES)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """16 sums."""
        return saturated_sum()
