"""AddParam: a vector plus a parameter of its width, such as a bias."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call, call
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.param import FixedParam, Param, ParamRole
from stbuild.ir.parts import Choose, Delay, Part, Store
from stbuild.ir.program import Program
from stbuild.ir.storage import Storage
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require_width
from stbuild.ops.datapaths import WORD, saturated_sum
from stbuild.ops.parameter import parameter_program


@dataclass(frozen=True, kw_only=True)
class AddParam(StreamingOp):
    """`x + param` (a bias)."""

    roles: ClassVar[Mapping[str, ParamRole]] = {"param": ParamRole.BIAS}
    any_frac: ClassVar[bool] = True
    summands: ClassVar[tuple[str, ...]] = ("x",)
    any_width: ClassVar[bool] = True

    x: str
    param: Param

    def check(self, context: CheckContext) -> None:
        """Operand and parameter are as wide as the result."""
        require_width(self, context.widths[self.x], self.width)
        require_width(self, self.param.shape[-1], self.width)

    def fixed(self, frac: int, values: Values) -> Self:
        """Of a value with the same fraction bits."""
        return replace(self, frac=frac, x=values.rescaled(self.x, frac))

    @property
    def fixed_params(self) -> tuple[FixedParam, ...]:
        """The parameter with the fraction bits of the result."""
        return (FixedParam(param=self.param, frac=self.frac),)

    @property
    def param_words(self) -> int:
        """A whole vector."""
        return self.stream_words

    def program(self, here: LaunchContext) -> Program:
        """The parameter of the run, a word before the first token's that meets it; then word by word."""
        return parameter_program(here, self.stream_words)

    def call(self, site: CallSite) -> Call:
        """`stb::add_param`."""
        return call("params", "add_param", **site.times, WIDTH=self.stream_words * LANES)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """16 sums, and the parameter of a run."""
        param = Store(name="param", words=self.param_words, bits=WORD, storage=Storage.BRAM)
        return (*saturated_sum(operands=4), param, Delay(bits=WORD), Choose(ways=2, bits=WORD))
