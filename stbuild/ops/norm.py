"""Norm: RMS norm or layer norm over segments of a vector."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from stbuild.ir.call import Call, call
from stbuild.ir.fixed import PARAM_FRAC, norm_epsilon
from stbuild.ir.op import CheckContext, StreamingOp
from stbuild.ir.param import FixedParam, Param, ParamRole
from stbuild.ir.parts import Add, Choose, Divide, Hold, Largest, Multiply, Part, Shift
from stbuild.ir.program import Program, Repeat, reads, writes
from stbuild.ir.serde import STORED_IF_SET
from stbuild.ir.storage import Storage
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require, require_multiple
from stbuild.ops.datapaths import DISTANCES, ELEMENT, SUM, WORD, rounded_product, saturated_sum, vector

MAX_EPS, EPS_BITS = 1024, 46
"""Keeps a norm's mean of squares below 2^47."""
SQUARED_BITS = 24
"""Bits of an element that is squared."""
FACTOR_BITS = 26
"""Bits of the inverse root that elements are multiplied by."""


@dataclass(frozen=True, kw_only=True)
class Norm(StreamingOp):
    """RMS norm, or layer norm if `center`, of each `segment` elements; weight and bias [segment].

    Of a padded segment `count` places have elements, for a layer norm the first ones, and the others zeros;
    0 is all of them.
    `exact` is the model's own factor as a formula of the mean of squares `x`, where 1 / sqrt(x + eps)
    only stands for it.
    """

    roles: ClassVar[Mapping[str, ParamRole]] = {"weight": ParamRole.GAIN, "bias": ParamRole.BIAS}
    any_frac: ClassVar[bool] = True

    x: str
    segment: int
    eps: float
    center: bool = False
    weight: Param | None = None
    bias: Param | None = None
    exact: str = ""
    count: int = field(default=0, metadata=STORED_IF_SET)

    @property
    def elements(self) -> int:
        """Elements of a segment, by which its means divide."""
        return self.count or self.segment

    def check(self, context: CheckContext) -> None:
        """Whole words and whole segments, a small eps."""
        require_multiple(self, self.segment)
        require(self, 0 <= self.eps <= MAX_EPS, f"its eps {self.eps:g} is not between 0 and {MAX_EPS}")
        whole = self.width % self.segment == 0
        require(self, whole, f"its {self.width} elements are not a multiple of its segment of {self.segment}")
        fits = 0 <= self.count <= self.segment
        require(self, fits, f"a segment of {self.segment} places has {self.count} elements")

    def check_fixed(self, fracs: Mapping[str, int]) -> None:
        """The eps is small beside values with their fraction bits."""
        frac = fracs[self.x]
        small = norm_epsilon(self.eps, frac) < 2**EPS_BITS
        require(self, small, f"its eps {self.eps:g} is too large beside values of {frac} fraction bits")

    @property
    def fixed_params(self) -> tuple[FixedParam, ...]:
        """Weight, then bias."""
        found = (param for param in (self.weight, self.bias) if param is not None)
        return tuple(FixedParam(param=param, frac=PARAM_FRAC) for param in found)

    @property
    def param_words(self) -> int:
        """A segment of each."""
        return len(self.fixed_params) * self.segment // LANES

    def latency(self, words: int) -> int:
        """A whole vector."""
        return words + 2 * LANES

    def program(self, here: LaunchContext) -> Program:
        """The parameters of the run, then vector after vector."""
        (x, *params), y = here.reads, here.writes[0]
        loads = [reads(stream, self.param_words) for stream in params]
        vector = (reads(x, self.stream_words), writes(y, self.stream_words))
        return here.each_run(*loads, Repeat(here.tokens, vector))

    def call(self, site: CallSite) -> Call:
        """`stb::norm`."""
        return call(
            "norm", "norm", **site.times, WIDTH=self.width, SEGMENT=self.segment, CENTER=self.center,
            FIN=site.frac, FOUT=self.frac, HAS_WEIGHT=self.weight is not None,
            HAS_BIAS=self.bias is not None, EPS=norm_epsilon(self.eps, site.frac), **self._counted,
        )  # fmt: skip

    @property
    def _counted(self) -> dict[str, int]:
        """The template argument of a padded segment."""
        return {"COUNT": self.count} if self.elements < self.segment else {}

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """Squares and their sum; root, inverse, means of what is no power of two; factor, weight and bias."""
        words = self.segment // LANES
        whole = self.elements & (self.elements - 1) == 0  # the mean is a shift
        extremes = Largest(inputs=LANES + 1, bits=ELEMENT, count=2)
        center = (Add(bits=SUM, count=LANES), extremes, *saturated_sum()) if self.center else ()
        return (
            vector("words", self.width // LANES, Storage.BRAM),
            *(
                vector(name, words, Storage.BRAM)
                for name in ("weight", "bias")
                if getattr(self, name) is not None
            ),
            *center,
            *((Choose(ways=2, bits=WORD, count=2),) if self.center and self.elements < self.segment else ()),
            Hold(bits=WORD),
            Add(bits=ELEMENT, count=LANES),
            Largest(inputs=LANES, bits=ELEMENT),
            Largest(inputs=2, bits=ELEMENT),
            Shift(bits=SQUARED_BITS, distances=16, count=LANES),
            Multiply(a=SQUARED_BITS, b=SQUARED_BITS, count=LANES),
            Add(bits=2 * SQUARED_BITS + 3, count=LANES - 1),
            Add(bits=SUM, count=2),
            Divide(bits=SUM),
            Divide(bits=ELEMENT, count=1 if whole else 2 + self.center),
            Shift(bits=SUM, distances=DISTANCES),
            Multiply(a=FACTOR_BITS, b=ELEMENT, count=LANES),
            Shift(bits=ELEMENT + FACTOR_BITS, distances=DISTANCES, count=LANES),
            *rounded_product(ELEMENT, ELEMENT),
            *((Add(bits=ELEMENT + 2, count=LANES),) if self.bias is not None else ()),
        )
