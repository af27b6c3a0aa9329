"""Causal attention over an int8 KV cache with integer softmax; `score` has what happens to scores."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stbuild.ir.fixed import attention_scale
from stbuild.ir.graph import Attention
from stbuild.reference.integer import bitlen, rsr, sat
from stbuild.reference.linear import Quantised, quantise
from stbuild.reference.score import scores, seen_from, top, weights
from stbuild.reference.threads import Mapper

SCORES_AT_ONCE = 2**18
"""Scores that are worked on at a time: as many heads as that holds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KvCache:
    """The int8 keys and values of all positions so far, [positions, kv_heads, head_dim]."""

    k: Quantised
    v: Quantised

    def extended(self, new: "KvCache") -> "KvCache":
        """This cache with the positions of `new` behind its own."""
        return KvCache(k=_joined(self.k, new.k), v=_joined(self.v, new.v))


def cache_of(op: Attention, k: Tensor, v: Tensor) -> KvCache:
    """The cache records of `k` and `v`, both [T, kv_heads * head_dim] with 16 fraction bits."""
    return KvCache(k=quantise(k, op.head_dim), v=quantise(v, op.head_dim))


def attention(
    op: Attention, run: int, q: Tensor, cache: KvCache, sinks: Tensor | None = None, each: Mapper = map
) -> Tensor:
    """Attend from the last T positions of `cache` to it; `q` and the result [T, heads * head_dim].

    `sinks` [heads] are scores with 16 fraction bits; `each` may share out the heads.
    """
    length = len(cache.k.a)
    queries = range(length - len(q), length)
    seen = seen_from(op, run, queries, length)
    query = quantise(q, op.head_dim)
    step = max(1, SCORES_AT_ONCE // seen.numel())
    parts = torch.split(torch.arange(op.heads), step)
    heads = each(lambda part: _heads(op, part, query, cache, seen, sinks), parts)
    return torch.cat(list(heads)).movedim(0, 1).reshape(len(q), -1)


def _heads(
    op: Attention, heads: Tensor, query: Quantised, cache: KvCache, seen: Tensor, sinks: Tensor | None
) -> Tensor:
    """The results of some heads, [heads, T, head_dim]."""
    groups = heads // (op.heads // op.kv_heads)
    score = _scores(op, heads, _at(query, heads), _at(cache.k, groups))
    sink = None if sinks is None else sinks[heads]
    greatest = top(score, seen, sink)
    p = weights(score.where(seen, greatest), greatest).where(seen, 0)
    total = p.sum(dim=2, keepdim=True)
    if sink is not None:
        total = total + weights(sink[:, None, None], greatest)
    return _mix(p, total, _at(cache.v, groups), seen)


def _scores(op: Attention, heads: Tensor, q: Quantised, k: Quantised) -> Tensor:
    """Scores [heads, T, positions]."""
    dot = (q.a.double() @ k.a.double().mT).long()
    product = dot * (q.m[:, :, None] * k.m[:, None]) * attention_scale(op.scale)
    count, length = dot.shape[1:]
    distance = torch.arange(length - count, length)[:, None] - torch.arange(length)
    return scores(op, product, 50 - q.e[:, :, None] - k.e[:, None], heads, distance)


def _mix(p: Tensor, total: Tensor, v: Quantised, seen: Tensor) -> Tensor:
    """The values by their weights `p` over `total`: [heads, T, head_dim], 16 fraction bits."""
    e = v.e[:, None]
    most = e.where(seen, 0).amax(dim=2, keepdim=True)
    w = (p * v.m[:, None]) >> (most - e).clamp(0, 31)
    acc = (w.double() @ v.a.double()).long()
    length = bitlen(total)
    inverse = 2**48 // (total << (32 - length))
    return sat(rsr(acc * inverse, 23 + length - most))


def _at(x: Quantised, heads: Tensor) -> Quantised:
    """The part of some heads, `a` [heads, positions, head_dim]."""
    return Quantised(a=x.a[:, heads].movedim(1, 0), m=x.m[:, heads].T, e=x.e[:, heads].T)


def _joined(old: Quantised, new: Quantised) -> Quantised:
    return Quantised(a=torch.cat((old.a, new.a)), m=torch.cat((old.m, new.m)), e=torch.cat((old.e, new.e)))
