"""Quantised activations times packed weights, exact in 64 bits, by float64 products of narrow limbs.

`acc = sum_k (D q + M)[n, k] * (s a)[t, k]` equals the sum over groups in docs/numerics.md. The bound
on a tensor's exponent keeps a row's sum of |D q + M| below 2^35.1, so with `s a` cut into limbs of at
most 2^14 each, every partial sum of a matrix product is an integer below 2^53: float64 is exact.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stbuild.ir.exponent import fixed_scales
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.types import GROUP
from stbuild.reference.integer import bitlen, rsr, sat

LIMB_BITS = 14
ROWS_AT_ONCE = 4096
"""Rows of a weight matrix that are widened to float64 at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantised:
    """int8 `a` [T, groups, n] with one scale `m * 2^(e - 7)` [T, groups] per group, all as int64."""

    a: Tensor
    m: Tensor
    e: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class WideRows:
    """Rows of a weight matrix as the integers `D q + M`, float64 [rows, cols]."""

    values: Tensor


def quantise(x: Tensor, size: int = GROUP) -> Quantised:
    """Quantise [T, width] in groups of `size` elements."""
    groups = x.reshape(len(x), -1, size)
    q = (128 * groups.abs().amax(dim=2) + 126) // 127
    e = (bitlen(q) - 8).clamp(min=0)
    m = torch.where(q < 128, 128, (q + (1 << e) - 1) >> e)
    carry = m == 256
    m, e = torch.where(carry, 128, m), e + carry.long()
    inverse = (2**23 // m + 1) // 2
    a = rsr(groups * inverse[:, :, None], (15 + e)[:, :, None]).clamp(-127, 127)
    return Quantised(a=a, m=m, e=e)


def linear(x: Quantised, weight: PackedMatrix, frac_in: int, frac_out: int) -> Tensor:
    """`weight` times `x`, [T, rows] with `frac_out` fraction bits."""
    top = x.e.amax(dim=1, keepdim=True)
    scale = (x.m << 12) >> (top - x.e).clamp(max=31)
    scaled = (scale[:, :, None] * x.a).reshape(len(x.a), -1)
    high = rsr(scaled, LIMB_BITS)
    limbs = torch.cat((scaled - (high << LIMB_BITS), high)).double().T.contiguous()
    scales = fixed_scales(weight)
    parts = [
        _products(_widen(weight, scales.d, scales.m, slice(i, i + ROWS_AT_ONCE)), limbs)
        for i in range(0, weight.rows, ROWS_AT_ONCE)
    ]
    return sat(rsr(torch.cat(parts).T.contiguous(), scales.exponent + 19 - top + frac_in - frac_out))


def _widen(weight: PackedMatrix, d: np.ndarray, m: np.ndarray, rows: slice) -> Tensor:
    """The integers `D q + M` of some rows, [rows, cols] float64."""
    q = torch.from_numpy(weight.q[rows]).double().reshape(-1, weight.cols // weight.group, weight.group)
    q.mul_(torch.from_numpy(d[rows]).double()[:, :, None])
    if weight.bits == 4:
        q.add_(torch.from_numpy(m[rows]).double()[:, :, None])
    return q.reshape(-1, weight.cols)


def _products(weights: Tensor, limbs: Tensor) -> Tensor:
    """Exact sums [rows, T] of weights times (low limb, high limb)."""
    low, high = (weights @ limbs).long().chunk(2, dim=1)
    return low + (high << LIMB_BITS)
