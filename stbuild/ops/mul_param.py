"""MulParam: a vector times a parameter of its width, element by element."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call, call
from stbuild.ir.fixed import PARAM_FRAC
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.param import FixedParam, Param, ParamRole
from stbuild.ir.program import Program
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require_width
from stbuild.ops.parameter import parameter_program


@dataclass(frozen=True, kw_only=True)
class MulParam(StreamingOp):
    """`x * param` (a scale per channel), the parameter with `param_frac` fraction bits."""

    roles: ClassVar[Mapping[str, ParamRole]] = {"param": ParamRole.GAIN}
    any_frac: ClassVar[bool] = True
    any_width: ClassVar[bool] = True

    x: str
    param: Param
    param_frac: int = PARAM_FRAC

    def check(self, context: CheckContext) -> None:
        """Operand and parameter are as wide as the result."""
        require_width(self, context.widths[self.x], self.width)
        require_width(self, self.param.shape[-1], self.width)

    def fixed(self, frac: int, values: Values) -> Self:
        """Any operand will do; a project may choose the parameter's fraction bits."""
        return replace(self, frac=frac, param_frac=values.param_frac(self.name, self.param_frac))

    @property
    def fixed_params(self) -> tuple[FixedParam, ...]:
        """The parameter."""
        return (FixedParam(param=self.param, frac=self.param_frac),)

    @property
    def param_words(self) -> int:
        """A whole vector."""
        return self.stream_words

    def program(self, here: LaunchContext) -> Program:
        """The parameter of the run, a word before the first token's that meets it; then word by word."""
        return parameter_program(here, self.stream_words)

    def call(self, site: CallSite) -> Call:
        """`stb::mul_param`."""
        shift = site.frac + self.param_frac - self.frac
        return call("params", "mul_param", **site.times, WIDTH=self.stream_words * LANES, SHIFT=shift)
