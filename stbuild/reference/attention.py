"""Causal attention over an int8 KV cache with integer softmax."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stbuild.ir.fixed import EXP2, attention_scale
from stbuild.ir.graph import Attention
from stbuild.reference.integer import bitlen, rsr, sat
from stbuild.reference.linear import Quantised, quantise
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


def attention(op: Attention, q: Tensor, cache: KvCache, each: Mapper = map) -> Tensor:
    """Attend from the last T positions of `cache` to it; `q` and the result [T, heads * head_dim].

    `each` may share out the heads.
    """
    length = len(cache.k.a)
    seen = torch.arange(length) <= torch.arange(length - len(q), length)[:, None]
    query = quantise(q, op.head_dim)
    step = max(1, SCORES_AT_ONCE // seen.numel())
    parts = torch.split(torch.arange(op.heads), step)
    heads = each(lambda part: _heads(op, part, query, cache, seen), parts)
    return torch.cat(list(heads)).movedim(0, 1).reshape(len(q), -1)


def _heads(op: Attention, heads: Tensor, query: Quantised, cache: KvCache, seen: Tensor) -> Tensor:
    """The results of some heads, [heads, T, head_dim]."""
    groups = heads // (op.heads // op.kv_heads)
    p = _weights(_scores(op, _at(query, heads), _at(cache.k, groups)), seen)
    return _mix(p, _at(cache.v, groups), seen)


def _scores(op: Attention, q: Quantised, k: Quantised) -> Tensor:
    """Scores [heads, T, positions] in base 2, with 16 fraction bits."""
    dot = (q.a.double() @ k.a.double().mT).long()
    product = dot * (q.m[:, :, None] * k.m[:, None]) * attention_scale(op.scale)
    return sat(rsr(product, 50 - q.e[:, :, None] - k.e[:, None]))


def _weights(scores: Tensor, seen: Tensor) -> Tensor:
    """`2^(score - greatest)` with 16 fraction bits for the positions seen, 0 for the others."""
    top = scores.where(seen, -(2**62)).amax(dim=2, keepdim=True)
    delta = (top - scores).where(seen, 0)
    table = torch.tensor(EXP2)
    i, f = delta >> 16, delta & 0xFFFF
    left, right = table[f >> 10], table[(f >> 10) + 1]
    p = (left - (((left - right) * (f & 1023)) >> 10)) >> i.clamp(max=31)
    return p.where(seen, 0)


def _mix(p: Tensor, v: Quantised, seen: Tensor) -> Tensor:
    """The mean of the values by the weights `p`: [heads, T, head_dim], 16 fraction bits."""
    e = v.e[:, None]
    top = e.where(seen, 0).amax(dim=2, keepdim=True)
    w = (p * v.m[:, None]) >> (top - e).clamp(0, 31)
    acc = (w.double() @ v.a.double()).long()
    total = p.sum(dim=2, keepdim=True)
    length = bitlen(total)
    inverse = 2**48 // (total << (32 - length))
    return sat(rsr(acc * inverse, 23 + length - top))


def _at(x: Quantised, heads: Tensor) -> Quantised:
    """The part of some heads, `a` [heads, positions, head_dim]."""
    return Quantised(a=x.a[:, heads].movedim(1, 0), m=x.m[:, heads].T, e=x.e[:, heads].T)


def _joined(old: Quantised, new: Quantised) -> Quantised:
    return Quantised(a=torch.cat((old.a, new.a)), m=torch.cat((old.m, new.m)), e=torch.cat((old.e, new.e)))
