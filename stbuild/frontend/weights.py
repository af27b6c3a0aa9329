"""The interface of every checkpoint, and the check that it fits a graph."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError, did_you_mean
from stbuild.frontend.untyped import AnyArray
from stbuild.ir.derived import unpadded_shapes
from stbuild.ir.design import Design
from stbuild.ir.graph import Graph
from stbuild.ir.op import Op
from stbuild.ir.packed import MatrixForm, PackedMatrix
from stbuild.ir.param import FixedParam, Param, ParamRole
from stbuild.ir.plumbing import Sequence
from stbuild.ir.weights import WeightFormat, WeightIndex
from stbuild.limits import GROUPS
from stbuild.ops.attention_scores import AttentionScores
from stbuild.ops.rotary import Rotary

HEAD_BITS, HEAD_GROUP = 8, 32
"""How a floating point LM head is rounded: as finely as the card can."""
BODY_BITS, BODY_GROUP = 4, 128
"""How other floating point matrices are rounded, if nothing else is asked for."""
_CONSTANTS = (".rotary_emb.inv_freq", ".masked_bias")
"""Endings of tensors that checkpoints carry though no model needs them."""
_MASKS = (".attn.bias", ".attention.bias")
"""Endings of causal masks, which have more than one dimension; a bias has one."""
_HEAD, _COMPARED_ROWS = "lm_head.weight", 256
"""A head of the checkpoint's own that the model ties to its embedding; rows by which the two are compared."""

Floats = TypeVar("Floats", bound=AnyArray)


@dataclass(frozen=True, kw_only=True)
class MatrixUse:
    """How the weight of a Linear is wanted: bits and group if it must be rounded, and whether transposed.

    `padded_later` is one that ops use only with zeros between its columns or rows; it is rounded with these.
    """

    bits: int
    group: int
    transposed: bool = False
    padded_later: bool = False

    @property
    def form(self) -> MatrixForm:
        """How floats are rounded."""
        return MatrixForm(bits=self.bits, group=self.group)


@dataclass(frozen=True, kw_only=True)
class ParamUse:
    """A parameter, its role in its op, and whether that op makes logits."""

    param: Param
    role: ParamRole
    head: bool


@dataclass(frozen=True, kw_only=True)
class Uses:
    """The tensors that a model uses: `shapes` as its ops see them, `matrices` of the linear ones.

    `params` are those of the ops themselves; `neighbours` says that the rotary embedding rotates pairs of
    neighbours, not halves.
    """

    shapes: Mapping[str, tuple[int, ...]]
    matrices: Mapping[str, MatrixUse]
    params: Mapping[str, ParamUse] = field(default_factory=dict)
    neighbours: bool = False

    def stored_shape(self, name: str) -> tuple[int, ...]:
        """The shape that the checkpoint should have."""
        transposed = name in self.matrices and self.matrices[name].transposed
        return self.shapes[name][::-1] if transposed else self.shapes[name]


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
    def form(self, name: str) -> MatrixForm:
        """The number format that `matrix` gives."""

    def as_stored(self, name: str) -> bool:
        """Whether `matrix` gives a matrix as it is stored, not floats that are rounded."""
        return False

    @abstractmethod
    def matrix(self, name: str) -> PackedMatrix:
        """The weight of a Linear as the op uses it."""

    def dense(self, name: str) -> NDArray[np.float32]:
        """The numbers of a matrix [rows, cols] that the packed ones stand for."""
        return self.matrix(name).dequantise()

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


def rounded(weight: NDArray[np.float32], form: MatrixForm) -> PackedMatrix:
    """`weight` [rows, cols] in 4 or 8 bits."""
    if form.bits == 8:
        return PackedMatrix.symmetric8(weight, group_for(weight.shape[1], form.group))
    return PackedMatrix.affine4(weight, group_for(weight.shape[1], form.group))


def parameters(graph: Graph) -> Iterator[tuple[Op, str, Param]]:
    """All parameters of a graph with their ops and the names of their fields."""
    for block in graph.blocks:
        for op in block.ops:
            for name, param in op.params:
                yield op, name, param


def uses_of(model: Graph | Design, group: int = BODY_GROUP) -> Uses:
    """What a graph needs from a checkpoint; a design made from the graph needs the same.

    Body matrices are in groups of up to `group` columns. A tensor with several roles is drawn, where it is
    synthetic, by the first of them in the order of `ParamRole`.
    """
    if group not in GROUPS:
        raise StbuildError(f"a weight group of {group} columns is not supported", hint="use 32, 64 or 128")
    found = list(_of_graph(model) if isinstance(model, Graph) else _of_design(model))
    named = [(name, use) for use in found for name in use.param.names]
    rank = {role: i for i, role in enumerate(ParamRole)}
    params: dict[str, ParamUse] = {}
    for name, use in named:
        if name not in params or rank[use.role] < rank[params[name].role]:
            params[name] = use
    heads = {name for name, use in named if use.head and use.role is ParamRole.MATRIX}
    matrices = {
        name: _matrix_use(use.param, name in heads, group)
        for name, use in named
        if use.role is ParamRole.MATRIX
    }
    shapes = {name: use.param.shape for name, use in params.items()}
    return Uses(shapes=shapes, matrices=matrices, params=params, neighbours=_interleaved(model))


def _of_graph(graph: Graph) -> Iterator[ParamUse]:
    for block in graph.blocks:
        for op in block.ops:
            yield from _of_op(op, block is graph.blocks[-1])


def _of_op(op: Op, head: bool) -> Iterator[ParamUse]:
    for name, param in op.params:
        yield ParamUse(param=param, role=op.roles.get(name, ParamRole.OTHER), head=head)


def _of_design(design: Design) -> Iterator[ParamUse]:
    """Rows are read by `Sequence`, matrices by the engines, everything else by the ops themselves."""
    for process in design.processes:
        head = process.block >= 0 and design.blocks[process.block].head
        op = process.op.attention if isinstance(process.op, AttentionScores) else process.op
        if isinstance(op, Op):
            yield from _of_op(op, head)
        elif isinstance(process.op, Sequence):
            for row in process.op.rows:
                if isinstance(row.values, FixedParam):
                    yield ParamUse(
                        param=row.values.param, role=ParamRole.ROWS, head=design.blocks[row.block].head
                    )
    for matmul in design.matmuls:
        yield ParamUse(param=matmul.weight, role=ParamRole.MATRIX, head=design.blocks[matmul.block].head)


def _matrix_use(param: Param, head: bool, group: int) -> MatrixUse:
    bits, most = (HEAD_BITS, HEAD_GROUP) if head else (BODY_BITS, group)
    return MatrixUse(bits=bits, group=group_for(param.shape[1], most), transposed=param.transposed)


def _interleaved(model: Graph | Design) -> bool:
    """Whether a rotary embedding rotates neighbours."""
    ops: list[object] = (
        [process.op for process in model.processes]
        if isinstance(model, Design)
        else [op for block in model.blocks for op in block.ops]
    )
    return any(isinstance(op, Rotary) and op.interleaved for op in ops)


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
    extra = sorted(n for n in known - set(uses.shapes) if not _is_unused(checkpoint, uses, n, where))
    if extra:
        count = f", and {len(extra) - 1} more" if len(extra) > 1 else ""
        raise StbuildError(
            f"the weights have a tensor {extra[0]!r} that the model does not have{count}", where=where
        )
    return checkpoint


def _is_unused(checkpoint: Checkpoint, uses: Uses, name: str, where: str | None) -> bool:
    """True for a constant, a mask and a copy of the tied head; a head that is no copy is refused."""
    if name.endswith(_MASKS):
        return len(checkpoint.shape(name)) > 1
    if name.endswith(_HEAD):
        return _is_copy(checkpoint, uses, name, where)
    return name.endswith(_CONSTANTS)


def _is_copy(checkpoint: Checkpoint, uses: Uses, name: str, where: str | None) -> bool:
    own, shape = checkpoint.rows(name, 0, _COMPARED_ROWS), checkpoint.shape(name)
    alike = [n for n in sorted(uses.matrices) if checkpoint.shape(n) == shape]
    if alike and not any(np.array_equal(own, checkpoint.rows(n, 0, _COMPARED_ROWS)) for n in alike):
        raise StbuildError(
            f"the tensor {name!r} differs from {alike[0]!r}, which the model uses in its place",
            where=where,
            hint="set tie_word_embeddings to false in the model's configuration",
        )
    return bool(alike)


def index_of(graph: Graph, checkpoint: Checkpoint) -> WeightIndex:
    """The shapes and formats of all tensors that a graph uses."""
    uses = uses_of(graph)
    unpadded = unpadded_shapes(graph.derived)
    formats = {
        name: replace(_format(checkpoint, uses, name), unpadded=unpadded.get(name, ()))
        for name in sorted(uses.shapes)
    }
    return WeightIndex(formats=formats, source=checkpoint.source, synthetic=checkpoint.synthetic)


def _format(checkpoint: Checkpoint, uses: Uses, name: str) -> WeightFormat:
    if name not in uses.matrices:
        return WeightFormat(shape=uses.shapes[name])
    form = checkpoint.form(name)
    return WeightFormat(
        shape=uses.shapes[name], bits=form.bits, group=form.group, zero_points=form.zero_points
    )
