"""Linear: a matrix times a vector, which a matmul engine computes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.op import CheckContext, Op, Values
from stbuild.ir.param import Param, ParamRole
from stbuild.ir.types import GROUP
from stbuild.ops.checks import require, require_multiple


@dataclass(frozen=True, kw_only=True)
class Linear(Op):
    """`weight` [width, K] times `x` [K]; after the numerics pass `x` is a `Quantize`."""

    roles: ClassVar[Mapping[str, ParamRole]] = {"weight": ParamRole.MATRIX}
    any_frac: ClassVar[bool] = True
    any_width: ClassVar[bool] = True

    x: str
    weight: Param

    def check(self, context: CheckContext) -> None:
        """Whole activation groups, a matrix of the right shape, used as it is stored."""
        cols = context.widths[self.x]
        require_multiple(self, cols, GROUP, "its input of {} elements is not a multiple of {}")
        shape = self.weight.shape
        require(self, shape == (self.width, cols), f"its weight {list(shape)} is not [{self.width}, {cols}]")
        plain = (self.weight.scale, self.weight.offset) == (1.0, 0.0)
        require(self, plain, "its weight is scaled, which packed weights cannot be")

    def fixed(self, frac: int, values: Values) -> Self:
        """Of a quantised vector."""
        return replace(self, frac=frac, x=values.quantised(self.x))
