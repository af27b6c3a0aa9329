"""What a lowering is given: one operator's call, and the state of the whole model's lowering."""

from dataclasses import dataclass, field

import numpy as np

from stbuild.errors import StbuildError
from stbuild.frontend import static
from stbuild.frontend.builder import Builder, describe
from stbuild.frontend.masks import MaskForm, form_of
from stbuild.frontend.source_location import SourceLocation
from stbuild.frontend.static import Statics
from stbuild.frontend.untyped import FxTarget, FxValue
from stbuild.frontend.values import Cached, CacheMemory, Index, Scores, Static, Tokens, Value, Vec, Weight

TableRows = dict[str, tuple["TableRow", ...]]
"""Position tables by name."""


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A row of a position table, and the operator that reads it first."""

    cos: Static
    sin: Static
    place: SourceLocation = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class UsedMask:
    """An attention mask with its form, and the operator that reads it first."""

    mask: Static
    form: MaskForm
    place: SourceLocation


@dataclass(kw_only=True)
class Lowering:
    """State while one model is lowered."""

    builder: Builder
    statics: Statics
    context: int
    names: dict[str, str]
    tables: dict[int, list[TableRow]] = field(default_factory=dict)
    masks: list[UsedMask] = field(default_factory=list)
    cached_views: dict[object, Index] = field(default_factory=dict)

    def tensor(self, value: FxValue) -> Vec:
        """`value` as a vector of the token, or an error that says what it is instead."""
        if isinstance(value, Value) and not isinstance(
            value, Weight | Cached | Scores | CacheMemory | Tokens | Static
        ):
            return self.builder.vec(value)
        raise self.builder.error(f"a {describe(value)} is used where a vector of the token is needed")

    def table(self, cos: Static, sin: Static, width: int) -> tuple[str, int]:
        """The name of the position table of rows of `width` cosines, and the row of these values in it."""
        rows, row = self.tables.setdefault(width, []), TableRow(cos=cos, sin=sin, place=self.builder.place)
        if row not in rows:
            rows.append(row)
        return self._table_name(width), rows.index(row)

    def table_rows(self) -> TableRows:
        """All position tables."""
        return {self._table_name(width): tuple(rows) for width, rows in self.tables.items()}

    def _table_name(self, width: int) -> str:
        number = list(self.tables).index(width)
        return f"rotary_{number}" if number else "rotary"

    def mask_form(self, mask: Static) -> MaskForm:
        """The form of an attention mask by its last row; `positions.tabulate` checks the other positions."""
        for known in self.masks:
            if known.mask.key == mask.key:
                return known.form
        start, place = self.context - self.builder.tokens, self.builder.place
        form = form_of(static.evaluated_at(mask, start, self.builder.tokens), self.context - 1, place)
        self.masks.append(UsedMask(mask=mask, form=form, place=place))
        return form

    def number(self, value: FxValue) -> FxValue:
        """A float for a constant tensor of equal elements; any other value unchanged."""
        if not isinstance(value, Static) or value.on_position:
            return value
        tensor = static.constant(value)
        if tensor.numel() == 0 or bool((tensor != tensor.flatten()[0]).any()):
            return value
        item = tensor.flatten()[0].item()
        return item if isinstance(item, bool) else float(item)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operator of the graph with its arguments as values, and the shape of its result."""

    low: Lowering
    target: FxTarget
    args: tuple[FxValue, ...]
    kwargs: dict[str, FxValue]
    shape: tuple[int, ...]

    @property
    def builder(self) -> Builder:
        """The flat list of ops."""
        return self.low.builder

    def argument(self, at: int, name: str, default: FxValue = None) -> FxValue:
        """The argument at a place or with a name."""
        return self.args[at] if at < len(self.args) else self.kwargs.get(name, default)

    def error(self, why: str, hint: str | None = None) -> StbuildError:
        """A refusal that names the operator, its module and the model's source line."""
        return self.low.builder.error(why, hint)


def same_layout(a: Vec, b: Vec) -> bool:
    """True if element for element the two are the same value."""
    return a is b or (a.source == b.source and bool(np.array_equal(a.index, b.index)))
