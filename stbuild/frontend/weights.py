"""What every checkpoint offers, and the check that it fits a graph."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError, did_you_mean
from stbuild.ir.graph import AnyOp, Graph, Linear, Param, Rotary, params
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.weights import WeightFormat, WeightIndex
from stbuild.limits import GROUPS

HEAD_BITS, HEAD_GROUP = 8, 32
"""How a floating point LM head is rounded: as finely as the card can."""
BODY_BITS, BODY_GROUP = 4, 128
"""How other floating point matrices are rounded, if nothing else is asked for."""
_UNUSED_ENDINGS = (".rotary_emb.inv_freq", ".masked_bias", ".attn.bias", ".attention.bias", "lm_head.weight")
"""Tensors that checkpoints carry though no model needs them: constants, and copies of tied weights."""

Floats = TypeVar("Floats", bound=NDArray[Any])


@dataclass(frozen=True, kw_only=True)
class MatrixUse:
    """How the weight of a Linear is wanted: bits and group if it must be rounded, and whether turned."""

    bits: int
    group: int
    transposed: bool = False


@dataclass(frozen=True, kw_only=True)
class Uses:
    """The tensors that a graph uses: `shapes` as its ops see them, `matrices` of the linear ones.

    `neighbours` says that its rotary embedding rotates pairs of neighbours, not halves.
    """

    shapes: Mapping[str, tuple[int, ...]]
    matrices: Mapping[str, MatrixUse]
    neighbours: bool = False

    def stored_shape(self, name: str) -> tuple[int, ...]:
        """The shape that the checkpoint should have."""
        turned = name in self.matrices and self.matrices[name].transposed
        return self.shapes[name][::-1] if turned else self.shapes[name]


class Checkpoint(ABC):
    """The tensors of a model under its own names, read one by one: a `Tensors` with shapes and formats."""

    @property
    def synthetic(self) -> bool:
        """Whether the numbers are drawn, not learnt."""
        return False

    @property
    @abstractmethod
    def source(self) -> str:
        """A few words: `SmolLM2.gguf (Q4_1)` or `synthetic, seed 0`."""

    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """All tensor names, sorted."""

    @abstractmethod
    def shape(self, name: str) -> tuple[int, ...]:
        """The shape as stored."""

    @abstractmethod
    def form(self, name: str) -> tuple[int, int]:
        """Bits and group that `matrix` gives."""

    @abstractmethod
    def matrix(self, name: str) -> PackedMatrix:
        """The weight of a Linear as the op uses it."""

    @abstractmethod
    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor in float32, as stored."""

    @abstractmethod
    def rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Rows of `array(name)`."""


def finite(values: Floats, name: str) -> Floats:
    """`values`, which belong to the tensor `name`; NaN and infinity would pass into integers unseen."""
    if not np.isfinite(values).all():
        raise StbuildError(
            f"the tensor {name!r} has values that are NaN or infinite", hint="the checkpoint is damaged"
        )
    return values


def rounded(weight: NDArray[np.float32], *, bits: int, group: int) -> PackedMatrix:
    """`weight` [rows, cols] in 4 or 8 bits."""
    if bits == 8:
        return PackedMatrix.symmetric8(weight, group_for(weight.shape[1], group))
    return PackedMatrix.affine4(weight, group_for(weight.shape[1], group))


def parameters(graph: Graph) -> Iterator[tuple[AnyOp, str, Param]]:
    """All parameters of a graph with their ops and the names of their fields."""
    for block in graph.blocks:
        for op in block.ops:
            for field, param in params(op):
                yield op, field, param


def uses_of(graph: Graph, group: int = BODY_GROUP) -> Uses:
    """What `graph` wants of a checkpoint; body matrices in groups of up to `group` columns."""
    if group not in GROUPS:
        raise StbuildError(f"a weight group of {group} columns is not supported", hint="use 32, 64 or 128")
    heads = {n for op in graph.blocks[-1].ops if isinstance(op, Linear) for n in op.weight.names}
    shapes: dict[str, tuple[int, ...]] = {}
    matrices: dict[str, MatrixUse] = {}
    for op, _, param in parameters(graph):
        shapes.update(dict.fromkeys(param.names, param.shape))
        if isinstance(op, Linear):
            is_head = bool(heads.intersection(param.names))
            bits, most = (HEAD_BITS, HEAD_GROUP) if is_head else (BODY_BITS, group)
            use = MatrixUse(bits=bits, group=group_for(param.shape[1], most), transposed=param.transposed)
            matrices.update(dict.fromkeys(param.names, use))
    turned = [op for block in graph.blocks for op in block.ops if isinstance(op, Rotary)]
    return Uses(shapes=shapes, matrices=matrices, neighbours=any(op.interleaved for op in turned))


def group_for(cols: int, wanted: int) -> int:
    """The largest weight group of up to `wanted` columns that divides `cols`, a multiple of 32."""
    return max(g for g in GROUPS if g <= wanted and cols % g == 0)


def checked(checkpoint: Checkpoint, uses: Uses, *, where: str | None = None) -> Checkpoint:
    """`checkpoint`, unless a tensor is missing, extra or wrongly shaped."""
    known = set(checkpoint.names())
    for name in uses.shapes:
        wanted = uses.stored_shape(name)
        if name not in known:
            hint = did_you_mean(name, known) if len(known) else None
            raise StbuildError(f"the weights lack the tensor {name!r} {list(wanted)}", where=where, hint=hint)
        found = checkpoint.shape(name)
        if [n for n in found if n != 1] != [n for n in wanted if n != 1]:
            raise StbuildError(
                f"the tensor {name!r} is {list(found)}, the model needs {list(wanted)}", where=where
            )
    extra = sorted(n for n in known - set(uses.shapes) if not n.endswith(_UNUSED_ENDINGS))
    if extra:
        count = f", and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise StbuildError(
            f"the weights have a tensor {extra[0]!r} that the model does not have{count}", where=where
        )
    return checkpoint


def index_of(graph: Graph, checkpoint: Checkpoint) -> WeightIndex:
    """The shapes and formats of all tensors that a graph uses."""
    uses = uses_of(graph)
    formats = {name: _format(checkpoint, uses, name) for name in sorted(uses.shapes)}
    return WeightIndex(formats=formats, source=checkpoint.source, synthetic=checkpoint.synthetic)


def _format(checkpoint: Checkpoint, uses: Uses, name: str) -> WeightFormat:
    if name not in uses.matrices:
        return WeightFormat(shape=uses.shapes[name])
    bits, group = checkpoint.form(name)
    return WeightFormat(shape=uses.shapes[name], bits=bits, group=group)
