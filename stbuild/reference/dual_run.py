"""The tensor graph in floats and in the card's integers side by side, on the same weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stbuild.ir.exponent import fixed_scales
from stbuild.ir.fixed import to_fixed
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.tensors import Tensors
from stbuild.ir.values import Shape, block_shapes
from stbuild.ops.linear import Linear
from stbuild.reference.floats import FloatInputs, Tokens, float_value
from stbuild.reference.integer import sat
from stbuild.reference.kernels import KERNELS, OpInputs
from stbuild.reference.linear import Quantised


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """A weight matrix in float32: as dequantised, and as the card's truncated scales have it."""

    dense: Tensor
    card: Tensor

    @property
    def bytes(self) -> int:
        """Its memory."""
        return self.dense.nbytes + (0 if self.card is self.dense else self.card.nbytes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """What one op of one run made: `floats` [rows, width], and of the first rows integers.

    `exact` follow from the integers before them, `own` from the floats before them: their error is the
    op's own. Both are None for an op that makes no vector of int32. `operands` are the floats it read.
    """

    block: Block
    run: int
    op: Op
    operands: tuple[Tensor, ...]
    floats: Tensor
    exact: Tensor | None
    own: Tensor | None


Watch = Callable[[Sample], None]


def matrix_of(packed: PackedMatrix) -> Matrix:
    """The two readings of `packed`: one and the same where no scale is truncated, as almost always."""
    scales = fixed_scales(packed)
    d, m = (np.ldexp(s.astype(np.float64), -scales.exponent) for s in (scales.d, scales.m))
    dense = _dense(packed, packed.d, packed.minima)
    exact = np.array_equal(d, packed.d) and np.array_equal(m, packed.minima)
    return Matrix(dense=dense, card=dense if exact else _dense(packed, d, m))


def _dense(packed: PackedMatrix, d: NDArray[Any], m: NDArray[Any]) -> Tensor:
    values = torch.from_numpy(packed.q).view(packed.rows, -1, packed.group).float()
    values.mul_(torch.from_numpy(d.astype(np.float32))[:, :, None])
    if packed.bits == 4:
        values.add_(torch.from_numpy(m.astype(np.float32))[:, :, None])
    return values.view(packed.rows, packed.cols)


@dataclass(frozen=True, kw_only=True)
class DualRun:
    """A graph after the numerics pass with its numbers; `matrix` gives a matrix by name."""

    graph: Graph
    weights: Tensors
    matrix: Callable[[str], Matrix]
    tables: Mapping[str, NDArray[np.float32]]

    def run(self, sequences: tuple[Tokens, ...], exact_rows: int, watch: Watch) -> Tensor:
        """The float logits of all rows; the first `exact_rows` are computed in integers too.

        A linear op's sum is in float32 on both sides: the integers' input is quantised and their output
        rounded as on the card, whose own sum, being exact, differs in the last bit at most.
        """
        flow: tuple[Tensor, ...] = ()
        exact_flow: tuple[Tensor, ...] = ()
        shapes = block_shapes(self.graph)
        for block in self.graph.blocks:
            for run in range(block.count):
                place = _BlockRun(dual=self, block=block, run=run, shapes=shapes[block.name],
                               sequences=sequences, rows=exact_rows)  # fmt: skip
                place.enter(flow, exact_flow)
                for op in block.ops:
                    watch(place.step(op))
                flow = tuple(place.floats.values[name] for name in block.outputs)
                exact_flow = tuple(place.exact.vectors[name] for name in block.outputs)
        return flow[0]


class _BlockRun:
    """One run of a block: in floats, in integers, and in integers that start from the floats at each op."""

    def __init__(
        self, *, dual: DualRun, block: Block, run: int, shapes: Mapping[str, Shape],
        sequences: tuple[Tokens, ...], rows: int,
    ) -> None:  # fmt: skip
        self.block, self.run, self.shapes, self.rows, self.matrix = block, run, shapes, rows, dual.matrix
        self.floats = FloatInputs(run=run, sequences=sequences, weights=dual.weights, tables=dual.tables)
        self.exact, self.own = (
            OpInputs(block=block, run=run, shapes=shapes, tokens=sequences[0].ids[:rows],
                 positions=sequences[0].positions[:rows], weights=dual.weights, tables=dual.tables,
                 caches={}, wide=None, each=map)
            for _ in range(2)
        )  # fmt: skip

    def enter(self, flow: tuple[Tensor, ...], exact_flow: tuple[Tensor, ...]) -> None:
        """Take the outputs of the run before as inputs."""
        self.exact.vectors.update(zip(self.block.inputs, exact_flow, strict=True))
        for name, values in zip(self.block.inputs, flow, strict=True):
            self._keep(name, values)

    def step(self, op: Op) -> Sample:
        """Compute one op."""
        if isinstance(op, Linear):
            values, exact, own = self._linear(op)
        else:
            kernel = KERNELS[type(op)]
            values, exact, own = float_value(self.floats, op), kernel(self.exact, op), kernel(self.own, op)
        read = tuple(self.floats.values[name] for name in op.operands)
        self._keep(op.name, values)
        if isinstance(exact, Quantised) or isinstance(own, Quantised):
            self.exact.quantised[op.name], self.own.quantised[op.name] = exact, own
            exact = own = None
        else:
            self.exact.vectors[op.name] = exact
        return Sample(block=self.block, run=self.run, op=op, operands=read,
                      floats=values, exact=exact, own=own)  # fmt: skip

    def _keep(self, name: str, values: Tensor) -> None:
        self.floats.values[name] = values
        fixed = to_fixed(values[: self.rows].numpy(), self.shapes[name].frac)
        self.own.vectors[name] = torch.from_numpy(fixed).long()

    def _linear(self, op: Linear) -> tuple[Tensor, Any, Any]:
        matrix = self.matrix(op.weight.names[self.run])
        x = self.floats.values[op.x]
        y = torch.cat([dequantised(s.quantised[op.x], s.frac(op.x)) for s in (self.exact, self.own)])
        if matrix.card is matrix.dense:
            both = torch.cat((x, y)) @ matrix.dense.T
            values, sums = both[: len(x)], both[len(x) :]
        else:
            values, sums = x @ matrix.dense.T, y @ matrix.card.T
        exact, own = sat((sums.double() * 2.0**op.frac).round().long()).chunk(2)
        return values, exact, own


def dequantised(x: Quantised, frac: int) -> Tensor:
    """The floats [T, width] that quantised activations of `frac` fraction bits stand for in a sum."""
    top = x.e.amax(dim=1, keepdim=True)
    scale = (x.m << 12) >> (top - x.e).clamp(max=31)
    values = (scale[:, :, None] * x.a).reshape(len(x.a), -1).double()
    return (values * 2.0 ** (top - 19 - frac).double()).float()
