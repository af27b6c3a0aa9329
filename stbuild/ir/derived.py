"""Tensors that are computed from those of a checkpoint when the weights are packed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stbuild.ir.gaps import Gap, zeros_in
from stbuild.ir.serde import STORED_IF_SET


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows `start` to `start + count` of a tensor, each `repeat` times, and all of that `tile` times."""

    start: int
    count: int
    repeat: int = 1
    tile: int = 1

    @property
    def total(self) -> int:
        """How many rows that makes."""
        return self.count * self.repeat * self.tile


@dataclass(frozen=True, kw_only=True)
class Derived:
    """The tensor `name`: `formula` of the checkpoint's `sources`, of it the `rows`.

    A formula is nested calls of ATen operators on tensors by their quoted names; an empty one is the only
    source as it is. `shapes` are those of the sources: of a matrix [rows, columns], as its op uses it.
    A formula's result counts as a vector; without a formula, rows of a matrix are taken as they are packed.

    A tensor that is padded has one source and no rows: zeros stand between its rows, and its columns, and the
    matrix is rounded with them where the checkpoint has floats. Without a source it is 1 where no zeros are.
    """

    name: str
    sources: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    formula: str = ""
    rows: Rows | None = None
    row_gaps: tuple[Gap, ...] = field(default=(), metadata=STORED_IF_SET)
    column_gaps: tuple[Gap, ...] = field(default=(), metadata=STORED_IF_SET)

    @property
    def padded(self) -> bool:
        """Whether it is a tensor with zeros between its elements."""
        return bool(self.row_gaps or self.column_gaps)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a padded tensor, with its zeros."""
        more = (zeros_in(self.row_gaps), zeros_in(self.column_gaps))
        return tuple(n + zeros for n, zeros in zip(self.shapes[0], more, strict=False))


def unpadded_shapes(derived: Iterable[Derived]) -> dict[str, tuple[int, ...]]:
    """The shape that each padded tensor has in the model."""
    return {each.name: each.shapes[0] for each in derived if each.padded}
