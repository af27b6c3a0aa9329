"""Seeded random weights for a model, drawn in packed form, of sizes that keep activations sane."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stbuild.frontend.weights import Checkpoint, ParamUse, Uses
from stbuild.ir.derived import Derived
from stbuild.ir.packed import MatrixForm, PackedMatrix
from stbuild.ir.param import ParamRole

Kind = TypeVar("Kind", np.int8, np.uint8, np.uint16, np.uint32)

_SPREAD_4 = math.sqrt((16 * 16 - 1) / 12)
_SPREAD_8 = math.sqrt((256 * 256 - 1) / 12)
"""Standard deviations of uniform 4- and 8-bit numbers."""
GAP = 0.05
"""How far from 1 a gain is at least, and from 0 a bias."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A tensor's numbers: uniform around `centre`, then `gap` further away from it.

    With a gap no gain is 1 and no bias 0, so that a missing op or a wrong element changes the result.
    """

    centre: float = 0.0
    deviation: float = 0.02
    gap: float = 0.0


_COMPUTED = Distribution(deviation=0.1, gap=GAP)
"""Of parameters from which others are computed: gates and the like."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticWeights(Checkpoint):
    """Weights that depend on `seed` and the names alone; numpy's PCG64 makes the same bits everywhere."""

    seed: int
    uses: Uses
    spreads: Mapping[str, Distribution]

    @staticmethod
    def of(uses: Uses, derived: tuple[Derived, ...] = (), seed: int = 0) -> "SyntheticWeights":
        """Weights for `uses`: matrices of deviation 1 / sqrt(columns), gains around 1, biases around 0.

        What tensors are `derived` from is drawn for them, unless an op uses it as it is.
        """
        made = {d.name: d for d in derived}
        spreads: dict[str, Distribution] = {}
        for name in sorted(uses.params, key=lambda name: (name in made, name)):
            spreads.update(_spreads(name, _spread(uses.params[name]), made, spreads))
        return SyntheticWeights(seed=seed, uses=uses, spreads=spreads)

    @property
    def synthetic(self) -> bool:
        """Always true."""
        return True

    @property
    def source(self) -> str:
        """What the weights are."""
        return f"synthetic, seed {self.seed}"

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self.spreads))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape as stored."""
        return self.uses.stored_shape(name)

    def form(self, name: str) -> MatrixForm:
        """As the graph wants it."""
        return self.uses.matrices[name].form

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32: that of the matrix if it is one, else uniform around its centre."""
        if self._is_packed(name):
            matrix = self.matrix(name).dequantise()
            return np.ascontiguousarray(matrix.T) if self.uses.matrices[name].transposed else matrix
        return self._uniform(name, 0, math.prod(self.shape(name))).reshape(self.shape(name))

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor; of an embedding only these are drawn."""
        if self._is_packed(name):
            return self._matrix_rows(name, start, stop)
        width = math.prod(self.shape(name)[1:])
        return self._uniform(name, start * width, stop * width).reshape(stop - start, *self.shape(name)[1:])

    def matrix(self, name: str) -> PackedMatrix:
        """A matrix of uniform 4- or 8-bit values with scales that differ by up to a quarter."""
        rows, cols = self.uses.shapes[name]
        return self._packed(name, 0, rows, self._values(name, rows * cols, self.form(name).bits))

    def _is_packed(self, name: str) -> bool:
        """Whether it is drawn in packed form: not a matrix that is padded before it is rounded."""
        use = self.uses.matrices.get(name)
        return use is not None and not use.padded_later

    def _matrix_rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a matrix as stored; of a tied embedding, which has 8 bits, only these are drawn."""
        cols = self.uses.shapes[name][1]
        if self.form(name).bits != 8 or self.uses.matrices[name].transposed:
            return self.array(name)[start:stop]
        values = self._raw(name, "values", np.int8, start * cols, stop * cols)
        return self._packed(name, start, stop, values).dequantise()

    def _packed(
        self, name: str, start: int, stop: int, values: NDArray[np.int8] | NDArray[np.uint8]
    ) -> PackedMatrix:
        """Rows `start` to `stop` of a matrix, whose integers are `values`."""
        cols = self.uses.shapes[name][1]
        bits, group = self.form(name).bits, self.form(name).group
        spread = (_SPREAD_8 if bits == 8 else _SPREAD_4) * math.sqrt(cols)
        scales = (start * cols // group, stop * cols // group)
        noise = self._raw(name, "scales", np.uint16, *scales).astype(np.float32)
        d = ((0.75 + noise * np.float32(2.0**-17)) / np.float32(spread)).astype(np.float16)
        d = d.reshape(stop - start, cols // group)
        m = np.zeros_like(d) if bits == 8 else (d * np.float16(-7.5)).astype(np.float16)
        q = values.reshape(stop - start, cols)
        return PackedMatrix(rows=stop - start, cols=cols, group=group, bits=bits, d=d, m=m, q=q)

    def _values(self, name: str, count: int, bits: int) -> NDArray[np.int8] | NDArray[np.uint8]:
        if bits == 8:
            return self._raw(name, "values", np.int8, 0, count)
        both = self._raw(name, "values", np.uint8, 0, count // 2)
        values = np.empty(count, dtype=np.uint8)
        np.bitwise_and(both, 15, out=values[: count // 2])
        np.right_shift(both, 4, out=values[count // 2 :])
        return values

    def _uniform(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        spread = self.spreads[name]
        raw = self._raw(name, "floats", np.uint32, start, stop).astype(np.float32)
        width = spread.deviation * math.sqrt(12)
        values = raw * np.float32(width * 2.0**-32) + np.float32(spread.centre - width / 2)
        gap = np.float32(spread.gap)
        return values + np.where(raw < 2.0**31, -gap, gap) if spread.gap else values

    def _raw(self, name: str, use: str, kind: type[Kind], start: int, stop: int) -> NDArray[Kind]:
        """Numbers `start` to `stop` of the stream of `name`, as integers of type `kind`."""
        each = 8 // np.dtype(kind).itemsize
        key = hashlib.sha256(f"{self.seed}/{use}/{name}".encode()).digest()
        generator = np.random.PCG64(int.from_bytes(key[:16], "little"))
        generator.advance(start // each)
        raw: NDArray[np.uint64] = generator.random_raw(-(-stop // each) - start // each)
        numbers: NDArray[Kind] = raw.astype("<u8", copy=False).view(kind)
        return numbers[start % each :][: stop - start]


def _spreads(
    name: str, spread: Distribution, derived: Mapping[str, Derived], known: Mapping[str, Distribution]
) -> dict[str, Distribution]:
    """How a tensor is drawn, or those that it is computed from; what is `known` stays as it is."""
    made = derived.get(name)
    if made is None:
        return {name: known.get(name, spread)}
    found: dict[str, Distribution] = {}
    for source, shape in zip(made.sources, made.shapes, strict=False):
        matrix = sum(n != 1 for n in shape) > 1
        own = Distribution(deviation=shape[-1] ** -0.5 / 2) if matrix else _COMPUTED
        kept = own if made.formula else spread
        others = {} if source == name else derived
        found |= _spreads(source, kept, others, {**known, **found})
    return found


def _spread(use: ParamUse) -> Distribution:
    """How a parameter is drawn, so that it is of its usual size as its op uses it."""
    if use.role is ParamRole.ROWS:
        return Distribution(deviation=1.0)
    if use.role is ParamRole.MATRIX:
        return Distribution(deviation=use.param.shape[1] ** -0.5)
    if use.role in (ParamRole.GAIN, ParamRole.BIAS):
        centre = 1.0 if use.role is ParamRole.GAIN else 0.0
        size = abs(use.param.scale) or 1.0
        return Distribution(
            centre=(centre - use.param.offset) / (use.param.scale or 1.0),
            deviation=0.1 / size,
            gap=GAP / size,
        )
    return Distribution()
