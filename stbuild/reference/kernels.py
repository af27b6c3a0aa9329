"""The table from op to function: fetches operands and parameters, stores the value made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stbuild.ir.fixed import PARAM_FRAC, TABLE_FRAC, param_fixed, to_fixed
from stbuild.ir.graph import (
    Add,
    AddParam,
    Affine,
    Attention,
    Block,
    Concat,
    Embed,
    Linear,
    Map,
    Mul,
    MulParam,
    Norm,
    Param,
    PositionEmbed,
    Quantize,
    Rescale,
    Rotary,
    Slice,
)  # fmt: skip
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.tensors import Tensors
from stbuild.ir.values import Shape
from stbuild.reference.attention import KvCache, attention, cache_of
from stbuild.reference.integer import rsr, sat
from stbuild.reference.linear import Quantised, WideMatrix, linear, quantise, widened
from stbuild.reference.norm import norm
from stbuild.reference.pointwise import add, affine, function, multiply, rotary, table_row
from stbuild.reference.threads import Mapper


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
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
        values = self.weights.array(param.names[self.run])
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


def _embed(site: Site, op: Embed) -> Tensor:
    return site.rows(op.table, site.tokens, op.frac)


def _position_embed(site: Site, op: PositionEmbed) -> Tensor:
    return site.rows(op.table, tuple(p + op.offset for p in site.positions), op.frac)


def _linear(site: Site, op: Linear) -> Tensor:
    return linear(site.quantised[op.x], site.matrix(op.weight), site.frac(op.x), op.frac, site.each)


def _norm(site: Site, op: Norm) -> Tensor:
    weight, bias = site.param(op.weight, PARAM_FRAC), site.param(op.bias, PARAM_FRAC)
    return norm(op, site.vectors[op.x], site.frac(op.x), weight, bias)


def _map(site: Site, op: Map) -> Tensor:
    return function(op, site.vectors[op.x])


def _affine(site: Site, op: Affine) -> Tensor:
    return affine(op, site.vectors[op.x], site.frac(op.x))


def _add(site: Site, op: Add) -> Tensor:
    return add(site.vectors[op.a], site.vectors[op.b])


def _mul(site: Site, op: Mul) -> Tensor:
    return multiply(op, site.vectors[op.a], site.vectors[op.b], site.frac(op.a), site.frac(op.b))


def _add_param(site: Site, op: AddParam) -> Tensor:
    param = site.param(op.param, op.frac)
    assert param is not None
    return add(site.vectors[op.x], param)


def _mul_param(site: Site, op: MulParam) -> Tensor:
    param = site.param(op.param, PARAM_FRAC)
    assert param is not None
    return multiply(op, site.vectors[op.x], param, site.frac(op.x), PARAM_FRAC)


def _slice(site: Site, op: Slice) -> Tensor:
    return site.vectors[op.x][:, op.start : op.start + op.width]


def _concat(site: Site, op: Concat) -> Tensor:
    return torch.cat([site.vectors[part] for part in op.parts], dim=1)


def _rotary(site: Site, op: Rotary) -> Tensor:
    rows = site.tables[op.table][site.positions.start : site.positions.stop]
    row = table_row(op, site.run, rows)
    return rotary(op, site.vectors[op.x], torch.from_numpy(to_fixed(row, TABLE_FRAC)).long())


def _attention(site: Site, op: Attention) -> Tensor:
    place = (site.block.name, site.run, op.name)
    new = cache_of(op, site.vectors[op.k], site.vectors[op.v])
    cache = site.caches[place].extended(new) if place in site.caches else new
    site.caches[place] = cache
    sinks = site.param(op.sinks, PARAM_FRAC)
    return attention(op, site.run, site.vectors[op.q], cache, sinks, site.each)


def _rescale(site: Site, op: Rescale) -> Tensor:
    return sat(rsr(site.vectors[op.x], site.frac(op.x) - op.frac))


def _quantize(site: Site, op: Quantize) -> Quantised:
    return quantise(site.vectors[op.x])


KERNELS: Mapping[type, Callable[[Site, Any], Tensor | Quantised]] = {
    Embed: _embed, PositionEmbed: _position_embed, Linear: _linear, Norm: _norm, Map: _map,
    Affine: _affine, Add: _add, Mul: _mul, AddParam: _add_param, MulParam: _mul_param,
    Slice: _slice, Concat: _concat, Rotary: _rotary, Attention: _attention,
    Quantize: _quantize, Rescale: _rescale,
}  # fmt: skip
"""What computes each op's value, [T, width] int64 with the op's fraction bits."""
