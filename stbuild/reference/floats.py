"""The tensor graph in float32: what the integers approximate, and what a traced model must equal."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import layer_norm, rms_norm, scaled_dot_product_attention

from stbuild.ir.param import Param
from stbuild.ir.tensors import Tensors
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
from stbuild.reference.formula import evaluate
from stbuild.reference.pointwise import rotated_pairs, table_row
from stbuild.reference.score import visible_positions


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens that follow each other from position `start` on; before it their keys and values repeat."""

    ids: tuple[int, ...]
    start: int = 0

    @property
    def positions(self) -> range:
        """Their positions."""
        return range(self.start, self.start + len(self.ids))


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatInputs:
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


def float_value(inputs: FloatInputs, op: Any) -> Tensor:
    """The value that `op` makes of those at `inputs`."""
    return FLOATS[type(op)](inputs, op)


def _linear(inputs: FloatInputs, op: Linear) -> Tensor:
    weight = inputs.weights.matrix(op.weight.names[inputs.run]).dequantise()
    return inputs.values[op.x] @ torch.from_numpy(weight).T


def _norm(inputs: FloatInputs, op: Norm) -> Tensor:
    x = inputs.values[op.x]
    parts = x.reshape(len(x), -1, op.segment)
    weight = inputs.param(op.weight)
    y = _exactly_normed(op, parts, weight) if op.exact else _normed(op, parts, weight)
    bias = inputs.param(op.bias)
    return (y if bias is None else y + bias).reshape(x.shape)


def _normed(op: Norm, x: Tensor, weight: Tensor | None) -> Tensor:
    if op.elements < op.segment:
        x = _centered(op, x)
        y = x * torch.rsqrt(_mean_square(op, x) + op.eps)
        return y if weight is None else y * weight
    normalise = layer_norm if op.center else rms_norm
    return normalise(x, (op.segment,), weight=weight, eps=op.eps)


def _exactly_normed(op: Norm, x: Tensor, weight: Tensor | None) -> Tensor:
    """With the model's own factor, for which that with `eps` stands on the card."""
    x = _centered(op, x)
    y = x * evaluate(op.exact, _mean_square(op, x))
    return y if weight is None else y * weight


def _centered(op: Norm, x: Tensor) -> Tensor:
    """A layer norm's differences from the mean; where a segment has no elements, zeros."""
    if not op.center:
        return x
    differences = x - x.sum(dim=-1, keepdim=True) / op.elements
    differences[..., op.elements :] = 0
    return differences


def _mean_square(op: Norm, x: Tensor) -> Tensor:
    return (x * x).sum(dim=-1, keepdim=True) / op.elements


def eps_deviation(op: Norm, x: Tensor) -> float:
    """How far the norm of `x` with `eps` is from the model's own, relative to it."""
    x = x.reshape(len(x), -1, op.segment)
    exact, ours = _exactly_normed(op, x, None), _normed(op, x, None)
    return float(((ours - exact).norm(dim=-1) / exact.norm(dim=-1).clamp(min=1e-30)).max())


def _map(inputs: FloatInputs, op: Map) -> Tensor:
    x = inputs.values[op.x]
    return evaluate(op.formula, x) if op.formula else _interpolated(op, x)


def _interpolated(op: Map, x: Tensor) -> Tensor:
    """Linear between the samples, the outer segments going on: as on the card, but in floats."""
    samples = torch.tensor(op.samples)
    place = (x + 16) * 8
    i = place.floor().clamp(0, 255).long()
    return samples[i] + (samples[i + 1] - samples[i]) * (place - i)


def _rotary(inputs: FloatInputs, op: Rotary) -> Tensor:
    x = inputs.values[op.x]
    table = torch.from_numpy(table_row(op, inputs.run, inputs.tables[op.table][inputs.positions]))[:, None]
    heads = x.reshape(len(x), op.heads, op.head_dim)
    rotated, rest = heads[:, :, : op.rotary_dim], heads[:, :, op.rotary_dim :]
    cos, sin = table.chunk(2, dim=2)
    rotated = rotated * cos + rotated_pairs(op, rotated) * sin
    return torch.cat((rotated, rest), dim=2).reshape(x.shape)


def _attention(inputs: FloatInputs, op: Attention) -> Tensor:
    return torch.cat([_attended(inputs, op, *parts) for parts in _by_sequence(inputs, op)])


def _by_sequence(inputs: FloatInputs, op: Attention) -> Iterator[tuple[range, Tensor, Tensor, Tensor]]:
    """Positions, queries, keys and values of each sequence, [T, heads, head_dim]."""
    sizes = [len(sequence.ids) for sequence in inputs.sequences]
    parts = (torch.split(inputs.values[n].reshape(-1, h, op.head_dim), sizes) for n, h in
             ((op.q, op.heads), (op.k, op.kv_heads), (op.v, op.kv_heads)))  # fmt: skip
    for sequence, q, k, v in zip(inputs.sequences, *parts, strict=True):
        yield sequence.positions, q, k, v


def _attended(
    inputs: FloatInputs, op: Attention, positions: range, q: Tensor, k: Tensor, v: Tensor
) -> Tensor:
    """Attention of the tokens at `positions` to themselves and to what the cache has before them."""
    place = (torch.arange(positions.stop) - positions.start) % len(positions)
    k, v = k[place], v[place]
    q, k, v = (t.transpose(0, 1) for t in (q, k, v))
    k, v = (t.repeat_interleave(op.heads // op.kv_heads, 0) for t in (k, v))
    if op.cap or op.slopes or op.sinks:
        y = _softmax(inputs, op, positions, q @ k.mT * op.scale) @ v
    else:
        seen = visible_positions(op, inputs.run, positions, positions.stop)
        y = scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=seen, scale=op.scale)[0]
    return y.transpose(0, 1).reshape(len(positions), -1)


def _softmax(inputs: FloatInputs, op: Attention, positions: range, scores: Tensor) -> Tensor:
    """The weights of scores [heads, T, positions] of the queries at `positions`."""
    if op.cap:
        scores = op.cap * torch.tanh(scores / op.cap)
    if op.slopes:
        distance = torch.tensor(positions)[:, None] - torch.arange(positions.stop)
        scores = scores - torch.tensor(op.slopes)[:, None, None] * distance
    scores = scores.masked_fill(~visible_positions(op, inputs.run, positions, positions.stop), -torch.inf)
    if op.sinks is None:
        return scores.softmax(-1)
    sinks = (inputs.vector(op.sinks) * math.log(2)).reshape(-1, 1, 1).expand(-1, len(positions), 1)
    return torch.cat((scores, sinks), dim=-1).softmax(-1)[..., :-1]


def _unchanged(inputs: FloatInputs, op: Any) -> Tensor:
    """Quantize and Rescale do nothing to a float."""
    return inputs.values[op.x]


FLOATS: Mapping[type, Callable[[FloatInputs, Any], Tensor]] = {
    Embed: lambda inputs, op: inputs.rows(op.table, inputs.tokens),
    PositionEmbed: lambda inputs, op: inputs.rows(op.table, [p + op.offset for p in inputs.positions]),
    Linear: _linear,
    Norm: _norm,
    Map: _map,
    Affine: lambda inputs, op: inputs.values[op.x] * op.scale + op.offset,
    Add: lambda inputs, op: inputs.values[op.a] + inputs.values[op.b],
    Mul: lambda inputs, op: inputs.values[op.a] * inputs.values[op.b],
    AddParam: lambda inputs, op: inputs.values[op.x] + inputs.vector(op.param),
    MulParam: lambda inputs, op: inputs.values[op.x] * inputs.vector(op.param),
    Slice: lambda inputs, op: inputs.values[op.x][:, op.start : op.start + op.width],
    Concat: lambda inputs, op: torch.cat([inputs.values[part] for part in op.parts], dim=1),
    Rotary: _rotary,
    Attention: _attention,
    Quantize: _unchanged,
    Rescale: _unchanged,
}
"""What computes each op's value, [rows, width]."""
