"""The table from op to function: fetches operands and parameters, stores the value made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stbuild.ir.fixed import PARAM_FRAC, TABLE_FRAC, param_fixed, to_fixed
from stbuild.ir.graph import Block
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.param import Param
from stbuild.ir.tensors import Tensors
from stbuild.ir.values import Shape
from stbuild.ops.add import Add
from stbuild.ops.add_param import AddParam
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.concat import Concat
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.position_embed import PositionEmbed
from stbuild.ops.quantize import Quantize
from stbuild.ops.rescale import Rescale
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice
from stbuild.reference.attention import KvCache, attention, cache_of
from stbuild.reference.integer import rsr, sat
from stbuild.reference.linear import Quantised, WideMatrix, linear, quantise, widened
from stbuild.reference.norm import norm
from stbuild.reference.pointwise import add, affine, function, multiply, rotary, table_row
from stbuild.reference.threads import Mapper


@dataclass(frozen=True, kw_only=True, eq=False)
class OpInputs:
    """One run of a block: its tokens, where the numbers come from, and the values made so far."""

    block: Block
    run: int
    shapes: Mapping[str, Shape]
    tokens: tuple[int, ...]
    positions: range
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]
    caches: dict[tuple[str, int, str], KvCache]
    wide: dict[str, WideMatrix] | None
    each: Mapper
    vectors: dict[str, Tensor] = field(default_factory=dict)
    quantised: dict[str, Quantised] = field(default_factory=dict)

    def frac(self, name: str) -> int:
        """The fraction bits of value `name`."""
        return self.shapes[name].frac

    def param(self, param: Param | None, frac: int) -> Tensor | None:
        """This run's tensor of `param` with `frac` fraction bits, int64."""
        if param is None:
            return None
        values = self.weights.array(param.names[self.run]).reshape(-1)
        return torch.from_numpy(param_fixed(param, values, frac)).long()

    def matrix(self, param: Param) -> PackedMatrix | WideMatrix:
        """This run's matrix of `param`, kept wide if this reference does so."""
        name = param.names[self.run]
        if self.wide is None:
            return self.weights.matrix(name)
        if name not in self.wide:
            self.wide[name] = widened(self.weights.matrix(name))
        return self.wide[name]

    def rows(self, param: Param, rows: tuple[int, ...], frac: int) -> Tensor:
        """The rows `rows` of this run's tensor of `param`."""
        name = param.names[self.run]
        values = np.concatenate([self.weights.rows(name, r, r + 1) for r in rows])
        return torch.from_numpy(param_fixed(param, values, frac)).long()


def _embed(inputs: OpInputs, op: Embed) -> Tensor:
    return inputs.rows(op.table, inputs.tokens, op.frac)


def _position_embed(inputs: OpInputs, op: PositionEmbed) -> Tensor:
    return inputs.rows(op.table, tuple(p + op.offset for p in inputs.positions), op.frac)


def _linear(inputs: OpInputs, op: Linear) -> Tensor:
    return linear(inputs.quantised[op.x], inputs.matrix(op.weight), inputs.frac(op.x), op.frac, inputs.each)


def _norm(inputs: OpInputs, op: Norm) -> Tensor:
    weight, bias = inputs.param(op.weight, PARAM_FRAC), inputs.param(op.bias, PARAM_FRAC)
    return norm(op, inputs.vectors[op.x], inputs.frac(op.x), weight, bias)


def _map(inputs: OpInputs, op: Map) -> Tensor:
    return function(op, inputs.vectors[op.x])


def _affine(inputs: OpInputs, op: Affine) -> Tensor:
    return affine(op, inputs.vectors[op.x], inputs.frac(op.x))


def _add(inputs: OpInputs, op: Add) -> Tensor:
    return add(inputs.vectors[op.a], inputs.vectors[op.b])


def _mul(inputs: OpInputs, op: Mul) -> Tensor:
    return multiply(op, inputs.vectors[op.a], inputs.vectors[op.b], inputs.frac(op.a), inputs.frac(op.b))


def _add_param(inputs: OpInputs, op: AddParam) -> Tensor:
    param = inputs.param(op.param, op.frac)
    assert param is not None
    return add(inputs.vectors[op.x], param)


def _mul_param(inputs: OpInputs, op: MulParam) -> Tensor:
    param = inputs.param(op.param, op.param_frac)
    assert param is not None
    return multiply(op, inputs.vectors[op.x], param, inputs.frac(op.x), op.param_frac)


def _slice(inputs: OpInputs, op: Slice) -> Tensor:
    return inputs.vectors[op.x][:, op.start : op.start + op.width]


def _concat(inputs: OpInputs, op: Concat) -> Tensor:
    return torch.cat([inputs.vectors[part] for part in op.parts], dim=1)


def _rotary(inputs: OpInputs, op: Rotary) -> Tensor:
    rows = inputs.tables[op.table][inputs.positions.start : inputs.positions.stop]
    row = table_row(op, inputs.run, rows)
    return rotary(op, inputs.vectors[op.x], torch.from_numpy(to_fixed(row, TABLE_FRAC)).long())


def _attention(inputs: OpInputs, op: Attention) -> Tensor:
    place = (inputs.block.name, inputs.run, op.name)
    new = cache_of(op, inputs.vectors[op.k], inputs.vectors[op.v])
    cache = inputs.caches[place].extended(new) if place in inputs.caches else new
    inputs.caches[place] = cache
    sinks = inputs.param(op.sinks, PARAM_FRAC)
    return attention(op, inputs.run, inputs.vectors[op.q], cache, sinks, inputs.each)


def _rescale(inputs: OpInputs, op: Rescale) -> Tensor:
    return sat(rsr(inputs.vectors[op.x], inputs.frac(op.x) - op.frac))


def _quantize(inputs: OpInputs, op: Quantize) -> Quantised:
    return quantise(inputs.vectors[op.x])


KERNELS: Mapping[type, Callable[[OpInputs, Any], Tensor | Quantised]] = {
    Embed: _embed, PositionEmbed: _position_embed, Linear: _linear, Norm: _norm, Map: _map,
    Affine: _affine, Add: _add, Mul: _mul, AddParam: _add_param, MulParam: _mul_param,
    Slice: _slice, Concat: _concat, Rotary: _rotary, Attention: _attention,
    Quantize: _quantize, Rescale: _rescale,
}  # fmt: skip
"""What computes each op's value, [T, width] int64 with the op's fraction bits."""
