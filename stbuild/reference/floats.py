"""The tensor graph in float32: what the integers approximate, and what a traced model must equal."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from stbuild.reference.formula import evaluate
from stbuild.reference.pointwise import table_row, turned_pairs
from stbuild.reference.score import seen_from


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens that follow each other from position `start` on; before it their keys and values repeat."""

    ids: tuple[int, ...]
    start: int = 0

    @property
    def positions(self) -> range:
        """Their positions."""
        return range(self.start, self.start + len(self.ids))


@dataclass(frozen=True, kw_only=True)
class FloatReference:
    """A graph, before or after the numerics pass, with its numbers; tables [context, width]."""

    graph: Graph
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]

    def run(self, tokens: Sequence[int], start: int = 0) -> Tensor:
        """The logits [T, vocabulary] of all tokens of a sequence, float32."""
        flow: tuple[Tensor, ...] = ()
        sequences = (Tokens(ids=tuple(tokens), start=start),)
        for block in self.graph.blocks:
            for run in range(block.count):
                site = FloatSite(run=run, sequences=sequences, weights=self.weights, tables=self.tables)
                site.values.update(zip(block.inputs, flow, strict=True))
                for op in block.ops:
                    site.values[op.name] = float_value(site, op)
                flow = tuple(site.values[name] for name in block.outputs)
        return flow[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatSite:
    """One run of a block on the tokens of all sequences, one row a token: [rows, width] each value."""

    run: int
    sequences: tuple[Tokens, ...]
    weights: Tensors
    tables: Mapping[str, NDArray[np.float32]]
    values: dict[str, Tensor] = field(default_factory=dict)

    @property
    def tokens(self) -> list[int]:
        """The token of each row."""
        return [token for sequence in self.sequences for token in sequence.ids]

    @property
    def positions(self) -> list[int]:
        """The position of each row."""
        return [position for sequence in self.sequences for position in sequence.positions]

    def param(self, param: Param | None) -> Tensor | None:
        """This run's tensor of `param`, if there is one."""
        return None if param is None else self.vector(param)

    def vector(self, param: Param) -> Tensor:
        """This run's tensor of `param` in one dimension."""
        values = torch.from_numpy(self.weights.array(param.names[self.run])).reshape(-1)
        return values * param.scale + param.offset

    def rows(self, param: Param, rows: Sequence[int]) -> Tensor:
        """The rows `rows` of this run's tensor of `param`."""
        name = param.names[self.run]
        found = np.concatenate([self.weights.rows(name, r, r + 1) for r in rows])
        return torch.from_numpy(found) * param.scale + param.offset


def float_value(site: FloatSite, op: Any) -> Tensor:
    """The value that `op` makes of those at `site`."""
    return _FUNCTIONS.get(type(op), _unchanged)(site, op)


def _linear(site: FloatSite, op: Linear) -> Tensor:
    weight = site.weights.matrix(op.weight.names[site.run]).dequantise()
    return site.values[op.x] @ torch.from_numpy(weight).T


def _norm(site: FloatSite, op: Norm) -> Tensor:
    x = site.values[op.x]
    parts = x.reshape(len(x), -1, op.segment)
    weight = site.param(op.weight)
    y = _exactly_normed(op, parts, weight) if op.exact else _normed(op, parts, weight)
    bias = site.param(op.bias)
    return (y if bias is None else y + bias).reshape(x.shape)


def _normed(op: Norm, x: Tensor, weight: Tensor | None) -> Tensor:
    normalise = layer_norm if op.center else rms_norm
    return normalise(x, (op.segment,), weight=weight, eps=op.eps)


def _exactly_normed(op: Norm, x: Tensor, weight: Tensor | None) -> Tensor:
    """With the model's own factor, for which that with `eps` stands on the card."""
    x = x - x.mean(dim=-1, keepdim=True) if op.center else x
    y = x * evaluate(op.exact, (x * x).mean(dim=-1, keepdim=True))
    return y if weight is None else y * weight


def eps_deviation(op: Norm, x: Tensor) -> float:
    """How far the norm of `x` with `eps` is from the model's own, relative to it."""
    x = x.reshape(len(x), -1, op.segment)
    exact, ours = _exactly_normed(op, x, None), _normed(op, x, None)
    return float(((ours - exact).norm(dim=-1) / exact.norm(dim=-1).clamp(min=1e-30)).max())


def _map(site: FloatSite, op: Map) -> Tensor:
    x = site.values[op.x]
    return evaluate(op.formula, x) if op.formula else _interpolated(op, x)


def _interpolated(op: Map, x: Tensor) -> Tensor:
    """Linear between the samples, the outer segments going on: as on the card, but in floats."""
    samples = torch.tensor(op.samples)
    place = (x + 16) * 8
    i = place.floor().clamp(0, 255).long()
    return samples[i] + (samples[i + 1] - samples[i]) * (place - i)


def _rotary(site: FloatSite, op: Rotary) -> Tensor:
    x = site.values[op.x]
    table = torch.from_numpy(table_row(op, site.run, site.tables[op.table][site.positions]))[:, None]
    heads = x.reshape(len(x), op.heads, op.head_dim)
    turned, rest = heads[:, :, : op.rotary_dim], heads[:, :, op.rotary_dim :]
    cos, sin = table.chunk(2, dim=2)
    turned = turned * cos + turned_pairs(op, turned) * sin
    return torch.cat((turned, rest), dim=2).reshape(x.shape)


def _attention(site: FloatSite, op: Attention) -> Tensor:
    return torch.cat([_attended(site, op, *parts) for parts in _by_sequence(site, op)])


def _by_sequence(site: FloatSite, op: Attention) -> Iterator[tuple[range, Tensor, Tensor, Tensor]]:
    """Positions, queries, keys and values of each sequence, [T, heads, head_dim]."""
    sizes = [len(sequence.ids) for sequence in site.sequences]
    parts = (torch.split(site.values[n].reshape(-1, h, op.head_dim), sizes) for n, h in
             ((op.q, op.heads), (op.k, op.kv_heads), (op.v, op.kv_heads)))  # fmt: skip
    for sequence, q, k, v in zip(site.sequences, *parts, strict=True):
        yield sequence.positions, q, k, v


def _attended(site: FloatSite, op: Attention, positions: range, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of the tokens at `positions` to themselves and to what the cache has before them."""
    place = (torch.arange(positions.stop) - positions.start) % len(positions)
    k, v = k[place], v[place]
    q, k, v = (t.transpose(0, 1) for t in (q, k, v))
    k, v = (t.repeat_interleave(op.heads // op.kv_heads, 0) for t in (k, v))
    weights = _softmax(site, op, positions, q @ k.mT * op.scale)
    return (weights @ v).transpose(0, 1).reshape(len(positions), -1)


def _softmax(site: FloatSite, op: Attention, positions: range, scores: Tensor) -> Tensor:
    """The weights of scores [heads, T, positions] of the queries at `positions`."""
    if op.cap:
        scores = op.cap * torch.tanh(scores / op.cap)
    if op.slopes:
        distance = torch.tensor(positions)[:, None] - torch.arange(positions.stop)
        scores = scores - torch.tensor(op.slopes)[:, None, None] * distance
    scores = scores.masked_fill(~seen_from(op, site.run, positions, positions.stop), -torch.inf)
    if op.sinks is None:
        return scores.softmax(-1)
    sinks = (site.vector(op.sinks) * math.log(2)).reshape(-1, 1, 1).expand(-1, len(positions), 1)
    return torch.cat((scores, sinks), dim=-1).softmax(-1)[..., :-1]


def _unchanged(site: FloatSite, op: Any) -> Tensor:
    """Quantize and Rescale do nothing to a float."""
    return site.values[op.x]


_FUNCTIONS: Mapping[type, Callable[[FloatSite, Any], Tensor]] = {
    Embed: lambda site, op: site.rows(op.table, site.tokens),
    PositionEmbed: lambda site, op: site.rows(op.table, [p + op.offset for p in site.positions]),
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
