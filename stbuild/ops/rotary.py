"""Rotary: rotates pairs of elements of every head by the position."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from stbuild.ir.call import Call, TypeArgument, call
from stbuild.ir.fixed import TABLE_FRAC
from stbuild.ir.op import CheckContext, StreamingOp, Values
from stbuild.ir.parts import Add, Choose, Clamp, Delay, Hold, Multiply, Part, Store
from stbuild.ir.program import Program, Repeat, reads, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.checks import require, require_multiple, require_width
from stbuild.ops.datapaths import ELEMENT, WORD
from stbuild.ops.numbers import numbers

ENTRY = 18
"""Bits of cos and sin that count: a factor of a DSP block."""


@dataclass(frozen=True, kw_only=True)
class Rotary(StreamingOp):
    """Rotate the first `rotary_dim` elements of every head by the row of `table` at the position.

    The table's row is cos[rotary_dim] then sin[rotary_dim]; out = x * cos + r * sin. Halves are rotated,
    r = (-x2, x1), as in GPT-NeoX and Llama; `interleaved`: neighbours, r = (-x[1], x[0], -x[3], x[2], ...),
    as in GPT-J. A table may hold several rows side by side: `rows` is which of them each run uses, () the
    only one.
    """

    chosen_frac: ClassVar[bool] = True
    run_fields: ClassVar[tuple[str, ...]] = ("rows",)
    by_position: ClassVar[bool] = True
    named_parts: ClassVar[tuple[str, ...]] = ("tables",)

    x: str
    heads: int
    head_dim: int
    rotary_dim: int
    table: str
    interleaved: bool = False
    rows: tuple[int, ...] = ()

    @property
    def position_table(self) -> str | None:
        """Its table."""
        return self.table

    def check(self, context: CheckContext) -> None:
        """Whole words of each head, and a table of the right width."""
        require_width(self, self.heads * self.head_dim, self.width)
        require_multiple(self, self.head_dim)
        require(self, self.table in context.tables, f"there is no position table {self.table!r}")
        require(self, self.rotary_dim % 8 == 0 and self.rotary_dim <= self.head_dim,
                f"it rotates {self.rotary_dim} of {self.head_dim} elements, not a multiple of 8")  # fmt: skip
        width = context.tables[self.table].width
        rows = width // (2 * self.rotary_dim)
        require_width(self, width, 2 * self.rotary_dim * rows)
        require(self, max(self.rows, default=0) < rows and bool(self.rows) == (rows > 1),
                f"its table holds {rows} rows, of which it uses {list(self.rows)}")  # fmt: skip

    def fixed(self, frac: int, values: Values) -> Self:
        """Operand and result have the same fraction bits."""
        return replace(self, frac=frac, x=values.rescaled(self.x, frac))

    def latency(self, words: int) -> int:
        """A whole vector."""
        return words + 2 * LANES

    def program(self, here: LaunchContext) -> Program:
        """The rows of all tokens once per launch, then head after head."""
        x, table = here.reads
        head = self.head_dim // LANES
        heads = Repeat(here.tokens * self.heads, (reads(x, head), writes(here.writes[0], head)))
        return reads(table, here.tokens * here.words[1]), *here.each_run(heads)

    def call(self, site: CallSite) -> Call:
        """`stb::rotary`, with the table of each run where there are several."""
        tables = site.words[1] * LANES // (2 * self.rotary_dim)
        definition = f"stb::Tables<{tables}, {numbers(self.rows)}>"
        types = (TypeArgument(parameter="TABLES", part="tables", definition=definition),) if self.rows else ()
        return call(
            "rotary", "rotary", *types, **site.times, HEADS=self.heads, HEAD_DIM=self.head_dim,
            ROTARY_DIM=self.rotary_dim, INTERLEAVED=self.interleaved, CHUNK=site.chunk,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """The rows of a launch, a head on its way in and one on its way out; 16 elements a cycle."""
        words, rotated = self.head_dim // LANES, -(-self.rotary_dim // LANES)
        return (
            Store(name="rows", words=site.chunk, bits=LANES * ENTRY, banks=site.words[1]),
            Choose(ways=rotated, bits=LANES * ENTRY, count=2),
            Hold(bits=words * WORD),
            Choose(ways=words, bits=WORD, count=2),
            Add(bits=ELEMENT, count=LANES),
            Choose(ways=2, bits=WORD),
            Multiply(a=ENTRY, b=ELEMENT, count=2 * LANES),
            Delay(bits=LANES * (ENTRY + ELEMENT)),
            Clamp(bits=ENTRY + ELEMENT + 1 - TABLE_FRAC, count=LANES),
        )
