"""Collects the tensors that a model computes from its parameters alone."""

from dataclasses import dataclass, field, replace

import numpy as np

from stbuild.frontend.values import Index
from stbuild.ir.derived import Derived, Rows
from stbuild.ir.param import Param


@dataclass(kw_only=True)
class Derivations:
    """Derived tensors by name; equal ones are one. `shapes` has the shape of each, and of every parameter."""

    made: dict[str, Derived] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def add(self, derived: Derived, shape: tuple[int, ...]) -> str:
        """Add `derived` and return its unique name, which starts with its own name."""
        for known in self.made.values():
            if replace(known, name=derived.name) == derived:
                return known.name
        name, number = derived.name, 1
        while name in self.shapes:
            number += 1
            name = f"{derived.name}_{number}"
        self.made[name] = replace(derived, name=name)
        self.shapes[name] = shape
        return name

    def rows(self, param: Param, rows: Rows) -> Param:
        """`param`, a vector or a matrix, with these of its rows."""
        name = param.names[0]
        stored = self.shapes.get(name, param.shape) if len(param.shape) == 1 else param.shape
        known = self.made.get(name) or Derived(name=name, sources=(name,), shapes=(stored,))
        taken = rows if known.rows is None else rows_of(indices(known.rows)[indices(rows)])
        assert taken is not None
        shape = (rows.total, *param.shape[1:])
        wish = f"{known.sources[0]}.rows"
        return replace(param, names=(self.add(replace(known, name=wish, rows=taken), shape),), shape=shape)


def indices(rows: Rows) -> Index:
    """The row that each row is taken from."""
    kept = np.arange(rows.start, rows.start + rows.count)
    return np.tile(np.repeat(kept, rows.repeat), rows.tile)


def rows_of(taken: Index) -> Rows | None:
    """`taken`, the number of a row for each row, as `Rows`, if they are regular."""
    changes = np.flatnonzero(np.diff(taken))
    repeat = int(changes[0]) + 1 if changes.size else taken.size
    start = int(taken[0])
    back = np.flatnonzero(taken[::repeat] == start)
    count = int(back[1]) if back.size > 1 else -(-taken.size // repeat)
    rows = Rows(start=start, count=count, repeat=repeat, tile=max(taken.size // (count * repeat), 1))
    return rows if np.array_equal(indices(rows), taken) else None
