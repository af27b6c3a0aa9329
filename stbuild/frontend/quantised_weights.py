"""Weights of a Hugging Face folder that AWQ or GPTQ quantised, as stored: 4 bits, scales and zero points."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.frontend.float_weights import SafetensorsWeights
from stbuild.frontend.nibbles import AWQ_ORDER, IN_WORD, columns_of, transposed_columns_of, transposed_rows_of
from stbuild.frontend.quantisation import WHOLE_ROW, Method, Quantisation
from stbuild.frontend.weights import HEAD_BITS, HEAD_GROUP, Checkpoint, Uses, finite
from stbuild.ir.packed import MatrixForm, PackedMatrix
from stbuild.limits import GROUPS

WEIGHT, BIAS = ".weight", ".bias"
QWEIGHT, QZEROS, SCALES, ORDER = ".qweight", ".qzeros", ".scales", ".g_idx"
"""What stands for a matrix: its numbers, zero points, scales and, in GPTQ, the group of each column."""
SYMMETRIC = 8
"""The zero point of symmetric weights."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A matrix [rows, cols] that has a scale for every `stored` columns of a row, on the card every `group`.

    The card's groups are 128 columns at most, so that several may have one and the same scale.
    """

    rows: int
    cols: int
    stored: int
    group: int

    @property
    def groups(self) -> int:
        """Stored scales of a row."""
        return -(-self.cols // self.stored)

    @property
    def scale_of_group(self) -> NDArray[np.int64]:
        """The stored scale of each of the card's groups."""
        return np.arange(self.cols // self.group) * self.group // self.stored


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantisedWeights(Checkpoint):
    """The tensors of `inner`; those of a quantised matrix stand under the name of its `weight`.

    `layouts` are the quantised matrices by their modules. Other matrices are rounded to 8 bits.
    """

    inner: SafetensorsWeights
    quantisation: Quantisation
    layouts: Mapping[str, Layout]
    ignored: frozenset[str]

    @staticmethod
    def of(inner: SafetensorsWeights, quantisation: Quantisation, uses: Uses) -> "QuantisedWeights":
        """Check shapes and order of all quantised matrices; raises StbuildError by the tensor's name."""
        finely = {n: replace(u, bits=HEAD_BITS, group=HEAD_GROUP) for n, u in uses.matrices.items()}
        inner = replace(inner, uses=replace(uses, matrices=finely))
        layouts = {owner: _layout(inner, owner, quantisation) for owner in _owners(inner)}
        if not layouts:
            raise StbuildError(
                f"config.json says {quantisation.label}, but no tensor ends with {QWEIGHT!r}",
                where=str(inner.path),
                hint="delete quantization_config from config.json if the weights are floats",
            )
        parts = {owner + part for owner in layouts for part in (QWEIGHT, QZEROS, SCALES, ORDER)}
        known = QuantisedWeights(
            inner=inner,
            quantisation=quantisation,
            layouts=layouts,
            ignored=frozenset(parts | _empty_biases(inner, layouts, uses)),
        )
        for owner in layouts:
            if f"{owner}{WEIGHT}" in uses.shapes:
                known._check_order(owner)
        return known

    @property
    def source(self) -> str:
        """What the weights are."""
        return f"{self.inner.path.name} ({self.quantisation.label})"

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        own = set(self.inner.names()) - self.ignored
        return tuple(sorted(own | {f"{owner}{WEIGHT}" for owner in self.layouts}))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape that the tensor would have in floats."""
        layout = self._layout(name)
        if layout is None:
            return self.inner.shape(name)
        return (layout.cols, layout.rows) if self._transposed(name) else (layout.rows, layout.cols)

    def form(self, name: str) -> MatrixForm:
        """4 bits with zero points as stored, 8 bits for what is stored in floats."""
        layout = self._layout(name)
        if layout is None:
            return self.inner.form(name)
        return MatrixForm(bits=4, group=layout.group, zero_points=True)

    def as_stored(self, name: str) -> bool:
        """Whether it is a quantised matrix."""
        return self._layout(name) is not None

    def matrix(self, name: str) -> PackedMatrix:
        """A quantised matrix as stored, another one rounded."""
        layout = self._layout(name)
        if layout is None:
            return self.inner.matrix(name)
        owner, order = name.removesuffix(WEIGHT), layout.scale_of_group
        return PackedMatrix(
            rows=layout.rows, cols=layout.cols, group=layout.group, bits=4, q=self._values(owner),
            d=np.ascontiguousarray(self._scales(owner).T[:, order]),
            m=np.ascontiguousarray(self._zero_points(owner).T[:, order]),
        )  # fmt: skip

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32, as it would be stored."""
        if self._layout(name) is None:
            return self.inner.array(name)
        floats = self.matrix(name).dequantise()
        return np.ascontiguousarray(floats.T) if self._transposed(name) else floats

    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of a tensor."""
        if self._layout(name) is None:
            return self.inner.rows(name, start, stop)
        return self.array(name)[start:stop]

    def _layout(self, name: str) -> Layout | None:
        return self.layouts.get(name.removesuffix(WEIGHT)) if name.endswith(WEIGHT) else None

    def _transposed(self, name: str) -> bool:
        use = self.inner.uses.matrices.get(name)
        return use is not None and use.transposed

    def _values(self, owner: str) -> NDArray[np.uint8]:
        """q [rows, cols], stored transposed; a word holds numbers of eight rows for AWQ, columns for GPTQ."""
        words = self._words(owner + QWEIGHT)
        if self.quantisation.method is Method.AWQ:
            return transposed_columns_of(words, AWQ_ORDER)
        return transposed_rows_of(words)

    def _zero_points(self, owner: str) -> NDArray[np.uint8]:
        """z [stored groups, rows]; one more than 15 is 16, as in AutoGPTQ's qlinear_cuda.py."""
        words = self._words(owner + QZEROS)
        if self.quantisation.method is Method.AWQ:
            return columns_of(words, AWQ_ORDER)
        zeros = columns_of(words) + np.uint8(self.quantisation.less_one)
        if self.quantisation.symmetric and np.any(zeros != SYMMETRIC):
            found = int(zeros[zeros != SYMMETRIC][0])
            raise StbuildError(
                f"{owner + QZEROS!r} has a zero point of {found}; config.json says {SYMMETRIC} (sym)",
                where=str(self.inner.path),
                hint="its `checkpoint_format` is 'gptq' if they are stored minus one, else 'gptq_v2'",
            )
        return zeros

    def _scales(self, owner: str) -> NDArray[np.float16]:
        """d [stored groups, rows] in fp16; other formats only where fp16 holds their numbers."""
        name = owner + SCALES
        stored = self.inner.tensor(name)
        half = stored.to(torch.float16)
        if not torch.equal(half.to(torch.float64), stored.to(torch.float64)):
            raise StbuildError(
                f"{name!r} has {str(stored.dtype).removeprefix('torch.')} scales that fp16 does not hold",
                where=str(self.inner.path),
            )
        return finite(half.numpy(), name)

    def _words(self, name: str) -> NDArray[np.int32]:
        stored = self.inner.tensor(name)
        if stored.dtype != torch.int32:
            kind = str(stored.dtype).removeprefix("torch.")
            raise StbuildError(f"{name!r} holds {kind} numbers, not int32 words", where=str(self.inner.path))
        words: NDArray[np.int32] = stored.numpy()
        return words

    def _check_order(self, owner: str) -> None:
        """Refuse columns whose groups are not one behind the other."""
        name, layout = owner + ORDER, self.layouts[owner]
        if name not in self.inner.files:
            return
        order = self.inner.tensor(name).numpy()
        if not np.array_equal(order, np.arange(layout.cols) // layout.stored):
            raise StbuildError(
                f"{name!r} gives the columns to groups in the order of their activations (act-order), "
                "which is not supported",
                where=str(self.inner.path),
                hint="quantise with desc_act=False, or give the floating-point checkpoint",
            )


def _owners(inner: SafetensorsWeights) -> list[str]:
    """The modules whose matrices are quantised."""
    return [name.removesuffix(QWEIGHT) for name in inner.names() if name.endswith(QWEIGHT)]


def _layout(inner: SafetensorsWeights, owner: str, quantisation: Quantisation) -> Layout:
    """The layout of a matrix, whose parts must have the shapes that follow from each other."""
    awq = quantisation.method is Method.AWQ
    for part in (QWEIGHT, QZEROS, SCALES):
        if owner + part not in inner.files:
            raise StbuildError(f"the weights lack the tensor {owner + part!r}", where=str(inner.path))
    packed = inner.shape(owner + QWEIGHT)
    if len(packed) != 2:
        raise StbuildError(
            f"{owner + QWEIGHT!r} is {list(packed)}, which is no matrix", where=str(inner.path)
        )
    cols, rows = (packed[0], packed[1] * IN_WORD) if awq else (packed[0] * IN_WORD, packed[1])
    stored = cols if quantisation.group == WHOLE_ROW else quantisation.group
    layout = Layout(rows=rows, cols=cols, stored=stored, group=_card_group(cols, stored, owner, inner))
    for part, wanted in ((SCALES, (layout.groups, rows)), (QZEROS, (layout.groups, rows // IN_WORD))):
        found = inner.shape(owner + part)
        if found != wanted:
            raise StbuildError(
                f"{owner + part!r} is {list(found)}; 4 bits in groups of {stored} would be {list(wanted)}",
                where=str(inner.path),
                hint="its bits or group size differ from those that config.json gives",
            )
    return layout


def _card_group(cols: int, stored: int, owner: str, inner: SafetensorsWeights) -> int:
    """The card's largest weight group that has one stored scale."""
    fitting = [g for g in GROUPS if cols % g == 0 and stored % g == 0]
    if not fitting:
        raise StbuildError(
            f"{owner + QWEIGHT!r} has {cols} columns, which is not a multiple of {GROUPS[0]}",
            where=str(inner.path),
        )
    return max(fitting)


def _empty_biases(inner: SafetensorsWeights, layouts: Mapping[str, Layout], uses: Uses) -> set[str]:
    """Biases of zeros that the model lacks: AutoGPTQ has stored one with every matrix."""
    stored = set(inner.names()) - set(uses.shapes)
    names = [f"{owner}{BIAS}" for owner in layouts if f"{owner}{BIAS}" in stored]
    return {name for name in names if not inner.array(name).any()}
