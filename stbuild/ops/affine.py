"""Affine: a number times each element, plus a number."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call, call
from stbuild.ir.fixed import INT32_MAX, affine_integers
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.program import Program, moves
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require


@dataclass(frozen=True, kw_only=True)
class Affine(StreamingOp):
    """`scale * x + offset` with numbers; integers as in docs/numerics.md after the numerics pass."""

    any_frac: ClassVar[bool] = True
    any_width: ClassVar[bool] = True

    x: str
    scale: float
    offset: float = 0.0
    multiplier: int = 0
    shift: int = 0
    addend: int = 0

    def check(self, context: CheckContext) -> None:
        """Nothing to check before the numerics pass."""

    def check_fixed(self, fracs: Mapping[str, int]) -> None:
        """The offset is within the range of values."""
        within = abs(self.addend) <= INT32_MAX
        require(self, within, f"its offset {self.offset:g} is beyond {2 ** (31 - self.frac):,}")

    def fixed(self, frac: int, values: Values) -> Self:
        """With its integers; any operand will do."""
        multiplier, shift, addend = affine_integers(self.scale, self.offset, frac)
        return replace(self, frac=frac, multiplier=multiplier, shift=shift, addend=addend)

    def program(self, here: LaunchContext) -> Program:
        """Word by word."""
        return here.each_run(moves(here.reads[0], here.writes[0], here.tokens * self.stream_words))

    def call(self, site: CallSite) -> Call:
        """`stb::affine`."""
        return call(
            "pointwise", "affine", **site.times, WIDTH=self.stream_words * LANES,
            MULTIPLIER=self.multiplier, SHIFT=self.shift + site.frac - self.frac, ADDEND=self.addend,
        )  # fmt: skip
