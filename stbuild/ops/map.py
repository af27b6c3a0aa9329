"""Map: a function of one variable by a piecewise linear table."""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from stbuild.errors import StbuildError
from stbuild.ir.call import Call, FunctionTable, call
from stbuild.ir.fixed import map_integers
from stbuild.ir.op import NOT_SHOWN, CheckContext, StreamingOp, Values
from stbuild.ir.parts import Add, Choose, Part, Table
from stbuild.ir.program import Program, moves
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import ACTIVATION_FRAC, LANES, words_of
from stbuild.ops.checks import require
from stbuild.ops.datapaths import ELEMENT, SUM, rounded_product

SAMPLES = 257


@dataclass(frozen=True, kw_only=True)
class Map(StreamingOp):
    """A function of one variable, `samples` of it at -16, -15.875, ... 16 (257), linear between.

    `formula` is the function itself, of `x` (stbuild/reference/formula.py); empty: what the samples give.
    `bases` and `slopes` (256 each) are its integer table, filled in by the numerics pass.
    """

    any_frac: ClassVar[bool] = True
    any_width: ClassVar[bool] = True
    tabulated: ClassVar[bool] = True

    x: str
    function: str
    samples: tuple[float, ...] = field(metadata=NOT_SHOWN)
    formula: str = field(default="", metadata=NOT_SHOWN)
    bases: tuple[int, ...] = field(default=(), metadata=NOT_SHOWN)
    slopes: tuple[int, ...] = field(default=(), metadata=NOT_SHOWN)

    def check(self, context: CheckContext) -> None:
        """All samples are there."""
        require(self, len(self.samples) == SAMPLES, f"it has {len(self.samples)} samples, not {SAMPLES}")

    def fixed(self, frac: int, values: Values) -> Self:
        """With its integer table, of a value with 16 fraction bits."""
        x = values.rescaled(self.x, ACTIVATION_FRAC)
        try:
            bases, slopes = map_integers(self.samples, frac)
        except ValueError as error:
            raise StbuildError(
                f"the function {self.function!r} cannot be tabulated on [-16, 16]: {error}",
                where=self.origin or None,
                hint="choose an activation whose values 32 bits can hold",
            ) from None
        return replace(self, frac=frac, x=x, bases=bases, slopes=slopes)

    def program(self, here: LaunchContext) -> Program:
        """Word by word."""
        return here.each_run(moves(here.reads[0], here.writes[0], here.tokens * self.stream_words))

    def call(self, site: CallSite) -> Call:
        """`stb::map` with its table."""
        about = f"{self.function}, linear between -16, -15.875, ... 16."
        table = FunctionTable(about=about, bases=self.bases, slopes=self.slopes)
        return replace(call("map", "map", **site.times, WIDTH=words_of(self.width) * LANES), table=table)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """The piece and what is left of each element, the table for each lane, 16 products, the bases."""
        return (
            Add(bits=ELEMENT + 1, count=LANES),
            Choose(ways=2, bits=ELEMENT, count=LANES),
            Table(words=len(self.bases), bits=2 * ELEMENT, reads=LANES),
            *rounded_product(ELEMENT, ELEMENT),
            Add(bits=SUM - ACTIVATION_FRAC + 1, count=LANES),
        )
