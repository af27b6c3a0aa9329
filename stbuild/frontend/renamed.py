"""A checkpoint whose tensor names differ from the model's parameter names."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stbuild.frontend.weights import Checkpoint, Uses
from stbuild.ir.packed import MatrixForm, PackedMatrix


def renamed_uses(uses: Uses, names: Mapping[str, str]) -> Uses:
    """`uses` under the checkpoint's names."""
    return Uses(
        shapes={names.get(n, n): s for n, s in uses.shapes.items()},
        matrices={names.get(n, n): m for n, m in uses.matrices.items()},
        neighbours=uses.neighbours,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class RenamedWeights(Checkpoint):
    """`inner` under the model's names; `stored` maps those that differ to the checkpoint's."""

    inner: Checkpoint
    stored: Mapping[str, str]

    @property
    def source(self) -> str:
        """What the weights are."""
        return self.inner.source

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        back = {v: k for k, v in self.stored.items()}
        return tuple(sorted(back.get(n, n) for n in self.inner.names()))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape as stored."""
        return self.inner.shape(self._in(name))

    def form(self, name: str) -> MatrixForm:
        """The number format that `matrix` gives."""
        return self.inner.form(self._in(name))

    def as_stored(self, name: str) -> bool:
        """Whether the matrix is not rounded."""
        return self.inner.as_stored(self._in(name))

    def matrix(self, name: str) -> PackedMatrix:
        """The weight of a Linear."""
        return self.inner.matrix(self._in(name))

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32."""
        return self.inner.array(self._in(name))

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor."""
        return self.inner.rows(self._in(name), start, stop)

    def _in(self, name: str) -> str:
        return self.stored.get(name, name)
