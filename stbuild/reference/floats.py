"""The tensor graph in float32: what the integers approximate, and what a traced model must equal."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import layer_norm, rms_norm

from stbuild.ir.graph import (
    Add,
    AddParam,
    Affine,
    Attention,
    Concat,
    Embed,
    Graph,
    Linear,
    Map,
    Mul,
    MulParam,
    Norm,
    Param,
    PositionEmbed,
    Rotary,
    Slice,
)
from stbuild.ir.tensors import Tensors
from stbuild.reference.pointwise import table_row, turned_pairs
from stbuild.reference.score import seen_from


@dataclass(frozen=True, kw_only=True)
class FloatReference:
    """A graph, before or after the numerics pass, with its numbers; tables [context, width]."""

    graph: Graph
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]

    def run(self, tokens: Sequence[int]) -> Tensor:
        """The logits [T, vocabulary] of all tokens of a sequence, float32."""
        flow: tuple[Tensor, ...] = ()
        for block in self.graph.blocks:
            for run in range(block.count):
                site = _Site(run=run, tokens=tuple(tokens), weights=self.weights, tables=self.tables)
                site.values.update(zip(block.inputs, flow, strict=True))
                for op in block.ops:
                    site.values[op.name] = _FUNCTIONS.get(type(op), _unchanged)(site, op)
                flow = tuple(site.values[name] for name in block.outputs)
        return flow[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Site:
    run: int
    tokens: tuple[int, ...]
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]
    values: dict[str, Tensor] = field(default_factory=dict)

    def param(self, param: Param | None) -> Tensor | None:
        return None if param is None else self.vector(param)

    def vector(self, param: Param) -> Tensor:
        return torch.from_numpy(self.weights.array(param.names[self.run])) * param.scale + param.offset

    def rows(self, param: Param, rows: Sequence[int]) -> Tensor:
        name = param.names[self.run]
        found = np.concatenate([self.weights.rows(name, r, r + 1) for r in rows])
        return torch.from_numpy(found) * param.scale + param.offset


def _linear(site: _Site, op: Linear) -> Tensor:
    weight = site.weights.matrix(op.weight.names[site.run]).dequantise()
    return site.values[op.x] @ torch.from_numpy(weight).T


def _norm(site: _Site, op: Norm) -> Tensor:
    x = site.values[op.x].reshape(len(site.tokens), -1, op.segment)
    normalise = layer_norm if op.center else rms_norm
    y = normalise(x, (op.segment,), weight=site.param(op.weight), eps=op.eps)
    bias = site.param(op.bias)
    return (y if bias is None else y + bias).reshape(len(site.tokens), -1)


def _map(site: _Site, op: Map) -> Tensor:
    """Linear between the samples, the outer segments going on: as on the card, but in floats."""
    samples = torch.tensor(op.samples)
    place = (site.values[op.x] + 16) * 8
    i = place.floor().clamp(0, 255).long()
    return samples[i] + (samples[i + 1] - samples[i]) * (place - i)


def _rotary(site: _Site, op: Rotary) -> Tensor:
    rows = table_row(op, site.run, site.tables[op.table][: len(site.tokens)])
    table = torch.from_numpy(rows)[:, None]
    heads = site.values[op.x].reshape(len(site.tokens), op.heads, op.head_dim)
    turned, rest = heads[:, :, : op.rotary_dim], heads[:, :, op.rotary_dim :]
    cos, sin = table.chunk(2, dim=2)
    turned = turned * cos + turned_pairs(op, turned) * sin
    return torch.cat((turned, rest), dim=2).reshape(len(site.tokens), -1)


def _attention(site: _Site, op: Attention) -> Tensor:
    shape = (1, len(site.tokens), -1, op.head_dim)
    q, k, v = (site.values[name].reshape(shape).transpose(1, 2) for name in (op.q, op.k, op.v))
    groups = op.heads // op.kv_heads
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    weights = _softmax(site, op, q @ k.mT * op.scale)
    return (weights @ v).transpose(1, 2).reshape(len(site.tokens), -1)


def _softmax(site: _Site, op: Attention, scores: Tensor) -> Tensor:
    """The weights of scores [1, heads, T, T]."""
    count = len(site.tokens)
    if op.cap:
        scores = op.cap * torch.tanh(scores / op.cap)
    if op.slopes:
        distance = torch.arange(count)[:, None] - torch.arange(count)
        scores = scores - torch.tensor(op.slopes)[:, None, None] * distance
    scores = scores.masked_fill(~seen_from(op, site.run, range(count), count), -torch.inf)
    if op.sinks is None:
        return scores.softmax(-1)
    sinks = (site.vector(op.sinks) * math.log(2)).reshape(1, -1, 1, 1).expand(1, -1, count, 1)
    return torch.cat((scores, sinks), dim=-1).softmax(-1)[..., :-1]


def _unchanged(site: _Site, op: Any) -> Tensor:
    """Quantize and Rescale do nothing to a float."""
    return site.values[op.x]


_FUNCTIONS: Mapping[type, Callable[[_Site, Any], Tensor]] = {
    Embed: lambda site, op: site.rows(op.table, site.tokens),
    PositionEmbed: lambda site, op: site.rows(op.table, range(op.offset, op.offset + len(site.tokens))),
    Linear: _linear,
    Norm: _norm,
    Map: _map,
    Affine: lambda site, op: site.values[op.x] * op.scale + op.offset,
    Add: lambda site, op: site.values[op.a] + site.values[op.b],
    Mul: lambda site, op: site.values[op.a] * site.values[op.b],
    AddParam: lambda site, op: site.values[op.x] + site.vector(op.param),
    MulParam: lambda site, op: site.values[op.x] * site.vector(op.param),
    Slice: lambda site, op: site.values[op.x][:, op.start : op.start + op.width],
    Concat: lambda site, op: torch.cat([site.values[part] for part in op.parts], dim=1),
    Rotary: _rotary,
    Attention: _attention,
}
