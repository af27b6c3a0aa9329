"""A checkpoint with the tensors that a graph derives from its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.frontend.padded_matrices import (
    padded_and_rounded,
    padded_as_stored,
    padded_floats,
    rounded_form,
    stored_form,
    without_columns,
)
from stbuild.frontend.untyped import AnyArray
from stbuild.frontend.weights import Checkpoint, MatrixUse, Uses, finite, rounded
from stbuild.ir.derived import Derived, Rows
from stbuild.ir.packed import MatrixForm, PackedMatrix


def known_uses(uses: Uses, derived: Iterable[Derived]) -> Uses:
    """`uses` with the sources beside the tensors that are derived from them."""
    shapes, matrices = dict(uses.shapes), dict(uses.matrices)
    for each in derived:
        use = matrices.get(each.name)
        for name, shape in zip(each.sources, each.shapes, strict=False):
            shapes.setdefault(name, shape)
            if use is not None and not each.formula:
                matrices.setdefault(name, replace(use, padded_later=use.padded_later or each.padded))
    return replace(uses, shapes=shapes, matrices=matrices)


def source_uses(uses: Uses, derived: tuple[Derived, ...]) -> Uses:
    """`uses` with the sources in the place of the tensors that are derived from them."""
    known, made = known_uses(uses, derived), {d.name for d in derived}
    gone = made - {name for d in derived for name in d.sources if name == d.name}
    return replace(
        known,
        shapes={n: s for n, s in known.shapes.items() if n not in gone},
        matrices={n: m for n, m in known.matrices.items() if n not in made},
    )


def with_derived(inner: Checkpoint, derived: tuple[Derived, ...], uses: Uses) -> Checkpoint:
    """`inner` and what is derived from it for a graph that has these `uses`."""
    if not derived:
        return inner
    matrices = known_uses(uses, derived).matrices
    return DerivedWeights(inner=inner, derived={d.name: d for d in derived}, matrices=matrices)


@dataclass(frozen=True, kw_only=True, eq=False)
class DerivedWeights(Checkpoint):
    """`inner` and the tensors `derived` from it, by name; how the graph wants its `matrices`."""

    inner: Checkpoint
    derived: Mapping[str, Derived]
    matrices: Mapping[str, MatrixUse]

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
        if made.padded:
            return made.shape
        if made.formula:
            return tuple(self.array(name).shape)
        shape = made.shapes[0]
        return shape if made.rows is None else (made.rows.total, *shape[1:])

    def form(self, name: str) -> MatrixForm:
        """The number format of the source, or the one that the graph wants for a computed matrix."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.form(name)
        if made.formula:
            return self.matrices[name].form
        form = self.form(made.sources[0])
        if not made.padded:
            return form
        return stored_form(form, made) if self.as_stored(made.sources[0]) else rounded_form(form, made)

    def as_stored(self, name: str) -> bool:
        """Whether its source's matrix is."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.as_stored(name)
        return not made.formula and self.as_stored(made.sources[0])

    def dense(self, name: str) -> NDArray[np.float32]:
        """The numbers of a matrix, as they are where it is padded."""
        padded = self._padded_from(name)
        if padded is None:
            return super().dense(name)
        only = replace(padded, sources=(name,), shapes=(self._size(name, padded),), row_gaps=())
        return without_columns(self._padded(only, name).dequantise(), only)

    def matrix(self, name: str) -> PackedMatrix:
        """Rows of the packed source matrix, which keep its rounding; a computed matrix is rounded here."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.matrix(name)
        if made.formula:
            return rounded(self.array(name), self.form(name))
        if made.padded:
            return self._padded(made, name)
        packed = self.matrix(made.sources[0])
        if made.rows is None:
            return packed
        d, m, q = (_rows(part, made.rows) for part in (packed.d, packed.m, packed.q))
        return replace(packed, rows=made.rows.total, d=d, m=m, q=q)

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32; formulas are computed in float64, and `rows` of it are those of a vector."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.array(name)
        if made.padded:
            own = self.array(made.sources[0]) if made.sources else np.ones(made.shapes[0], dtype=np.float32)
            return padded_floats(own.reshape(made.shapes[0]), made)
        stored = [self._source(made, n).reshape(s) for n, s in zip(made.sources, made.shapes, strict=True)]
        values = stored[0]
        if made.formula:
            from stbuild.frontend.formula import computed  # brings torch, which takes more than a second

            values = finite(computed(made.formula, dict(zip(made.sources, stored, strict=True))), name)
        return values if made.rows is None else _rows(values.reshape(-1), made.rows)

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor."""
        made = self.derived.get(name)
        if made is None:
            return self.inner.rows(name, start, stop)
        if made.padded and not made.row_gaps:
            return padded_floats(self.rows(made.sources[0], start, stop), made)
        return self.array(name)[start:stop]

    def _padded(self, made: Derived, name: str) -> PackedMatrix:
        """The matrix `name`, padded as `made` says: as stored, or rounded with its zeros."""
        source = made.sources[0]
        if self.as_stored(source):
            return padded_as_stored(self.matrix(source), made)
        try:
            return padded_and_rounded(self._floats(source), made, self.form(source))
        except StbuildError as error:
            raise StbuildError(f"the tensor {name!r}: {error.message}", hint=error.hint) from error

    def _floats(self, name: str) -> NDArray[np.float32]:
        """A matrix [rows, columns] as its op uses it, before it is rounded."""
        made = self.derived.get(name)
        if made is not None and made.rows is not None and not made.formula:
            return _rows(self._floats(made.sources[0]), made.rows)
        values = self.array(name) if made is not None else self.inner.array(name)
        transposed = made is None and self.matrices[name].transposed
        return np.ascontiguousarray(values.T) if transposed else values

    def _padded_from(self, name: str) -> Derived | None:
        """The first padded matrix that is made of the matrix `name`, or of rows of it."""
        if name not in self.matrices or not self.matrices[name].padded_later:
            return None
        users = [made for made in self.derived.values() if made.sources == (name,) and not made.formula]
        found = (made if made.padded else self._padded_from(made.name) for made in users)
        return next((made for made in found if made is not None), None)

    def _size(self, name: str, padded: Derived) -> tuple[int, int]:
        """Rows and columns of the matrix `name` from which `padded` is made."""
        made = next(d for d in self.derived.values() if d.sources == (name,) and not d.formula)
        return made.shapes[0][0], padded.shapes[0][1]

    def _source(self, made: Derived, name: str) -> NDArray[np.float32]:
        """A source: the checkpoint's own tensor, or one that is derived itself."""
        return self.inner.array(name) if name == made.name else self.array(name)


def _rows(values: AnyArray, rows: Rows) -> AnyArray:
    kept = values[rows.start : rows.start + rows.count]
    return np.concatenate([np.repeat(kept, rows.repeat, axis=0)] * rows.tile)
