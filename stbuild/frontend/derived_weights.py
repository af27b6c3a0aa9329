"""A checkpoint with the tensors that a graph derives from its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.frontend.formula import value_of
from stbuild.frontend.weights import Checkpoint, Uses, finite
from stbuild.ir.derived import Derived, Rows
from stbuild.ir.packed import PackedMatrix


def source_uses(uses: Uses, derived: Iterable[Derived]) -> Uses:
    """`uses` with the sources in the place of the tensors that are derived from them."""
    shapes, matrices = dict(uses.shapes), dict(uses.matrices)
    for each in derived:
        shapes.pop(each.name, None)
        use = matrices.pop(each.name, None)
        for name, shape in zip(each.sources, each.shapes, strict=True):
            shapes.setdefault(name, shape)
            if use is not None:
                matrices.setdefault(name, use)
    return replace(uses, shapes=shapes, matrices=matrices)


def known_uses(uses: Uses, derived: Iterable[Derived]) -> Uses:
    """`uses` with the sources beside the tensors that are derived from them."""
    both = source_uses(uses, derived)
    return replace(uses, shapes={**both.shapes, **uses.shapes}, matrices={**both.matrices, **uses.matrices})


def with_derived(inner: Checkpoint, derived: tuple[Derived, ...]) -> Checkpoint:
    """`inner` and what is derived from it."""
    return DerivedWeights(inner=inner, derived={d.name: d for d in derived}) if derived else inner


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivedWeights(Checkpoint):
    """`inner` and the tensors `derived` from it, by name."""

    inner: Checkpoint
    derived: Mapping[str, Derived]

    @property
    def synthetic(self) -> bool:
        """Whether the numbers are drawn."""
        return self.inner.synthetic

    @property
    def source(self) -> str:
        """What the weights are."""
        return self.inner.source

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted({*self.inner.names(), *self.derived}))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape, for a derived matrix that of its rows as the op uses them."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.shape(name)
        if made.formula:
            return tuple(self.array(name).shape)
        shape = made.shapes[0]
        return shape if made.rows is None else (made.rows.total, *shape[1:])

    def form(self, name: str) -> tuple[int, int]:
        """Bits and group of the source."""
        return self.inner.form(self._stored(name))

    def matrix(self, name: str) -> PackedMatrix:
        """Rows of the source's matrix as it is packed: a row is rounded like its source."""
        packed, made = self.inner.matrix(self._stored(name)), self.derived.get(name)
        if made is None or made.rows is None:
            return packed
        d, m, q = (_rows(part, made.rows) for part in (packed.d, packed.m, packed.q))
        return replace(packed, rows=made.rows.total, d=d, m=m, q=q)

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32; a derived one is a vector, whose formula is computed in float64."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.array(name)
        if not made.formula:
            stored = self.inner.array(made.sources[0]).reshape(made.shapes[0])
            return stored if made.rows is None else _rows(_vector(stored), made.rows)
        tensors = {
            source: torch.from_numpy(self.inner.array(source)).reshape(shape).double()
            for source, shape in zip(made.sources, made.shapes, strict=True)
        }
        values = value_of(made.formula, tensors).float().contiguous().numpy()
        finite(values, f"{made.formula}")
        return values if made.rows is None else _rows(_vector(values), made.rows)

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor."""
        if name not in self.derived:
            return self.inner.rows(name, start, stop)
        return self.array(name)[start:stop]

    def _stored(self, name: str) -> str:
        """The inner name of a matrix."""
        made = self.derived.get(name)
        if made is None:
            return name
        if made.formula:
            raise StbuildError(f"the matrix {name!r} is computed from parameters, which has no lowering")
        return made.sources[0]


def _vector(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """What has to be repeated: the elements of a parameter."""
    return values.reshape(-1)


def _rows(values: NDArray[Any], rows: Rows) -> NDArray[Any]:
    kept = values[rows.start : rows.start + rows.count]
    return np.concatenate([np.repeat(kept, rows.repeat, axis=0)] * rows.tile)
