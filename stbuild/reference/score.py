"""From the product of a query with a key to the key's weight: scale, soft cap, bias by distance, power of 2.

All that attention does to a score stands here and, to the same bits, in hls_lib/include/stb/score.hpp;
docs/numerics.md (Attention) is the definition. Scores are in base 2 with 16 fraction bits.
"""

import torch
from torch import Tensor

from stbuild.ir.fixed import EXP2, TANH, score_cap, score_slope
from stbuild.ir.graph import Attention
from stbuild.reference.integer import rsr, sat

HIDDEN = -(2**62)
"""Below every score."""


def scores(op: Attention, product: Tensor, shift: Tensor, heads: Tensor, distance: Tensor) -> Tensor:
    """Scores [heads, T, positions] of `product`, which has `shift` fraction bits too many.

    `distance` [T, positions] is how far a key lies before the query.
    """
    score = sat(rsr(product, shift))
    if op.cap:
        score = soft_cap(score, *score_cap(op.cap))
    if op.slopes:
        slopes = torch.tensor([score_slope(s) for s in op.slopes])[heads]
        score = sat(score - rsr(slopes[:, None, None] * distance, 8))
    return score


def soft_cap(score: Tensor, cap: int, per_cap: int) -> Tensor:
    """`cap * tanh(score / cap)`: tanh in 512 segments of 1/64, 1 - 2^-22 from 8 on."""
    u = ((score.abs() * per_cap) >> 22).clamp(max=2**27 - 1)
    table = torch.tensor(TANH)
    left, right = table[u >> 18], table[(u >> 18) + 1]
    tanh = left + (((right - left) * (u & 0x3FFFF)) >> 18)
    return rsr(tanh * cap, 24) * score.sign()


def top(score: Tensor, seen: Tensor, sinks: Tensor | None) -> Tensor:
    """The greatest score of the positions seen and of the sink [heads], for each query."""
    greatest = score.where(seen, HIDDEN).amax(dim=2, keepdim=True)
    return greatest if sinks is None else torch.maximum(greatest, sinks[:, None, None])


def weights(score: Tensor, top: Tensor) -> Tensor:
    """`2^(score - top)` with 16 fraction bits, for scores up to `top`."""
    delta = top - score
    table = torch.tensor(EXP2)
    i, f = delta >> 16, delta & 0xFFFF
    left, right = table[f >> 10], table[(f >> 10) + 1]
    return (left - (((left - right) * (f & 1023)) >> 10)) >> i.clamp(max=31)


def seen_from(op: Attention, run: int, queries: range, length: int) -> Tensor:
    """Which of the first `length` positions each of the positions `queries` sees in a run."""
    own, position = torch.tensor(queries)[:, None], torch.arange(length)
    causal = position <= own
    return causal & (position > own - op.windows[run]) if op.windows else causal
