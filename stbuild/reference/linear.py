"""Quantised activations times packed weights, exact in 64 bits, by float64 products of narrow limbs.

`acc = sum_k (D q + M)[n, k] * (s a)[t, k]` equals the sum over groups in docs/numerics.md. The bound
on a tensor's exponent keeps a row's sum of |D q + M| below 2^35.1, so with `s a` cut into limbs of at
most 2^14 each, every partial sum of a matrix product is an integer below 2^53: float64 is exact.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stbuild.ir.exponent import FixedScales, fixed_scales
from stbuild.ir.packed import PackedMatrix
from stbuild.ir.types import GROUP
from stbuild.reference.integer import bitlen, rsr, sat

LIMB_BITS = 14
WIDE_ELEMENTS = 2**20
"""Weights that are widened to float64 at a time: 8 MB, about a core's cache."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantised:
    """int8 `a` [T, groups, n] with one scale `m * 2^(e - 7)` [T, groups] per group, all as int64."""

    a: Tensor
    m: Tensor
    e: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class WideMatrix:
    """A weight matrix as the integers `D q + M`, float64 [rows, cols], on one exponent: 16 times as large."""

    exponent: int
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


def linear(x: Quantised, weight: PackedMatrix | WideMatrix, frac_in: int, frac_out: int) -> Tensor:
    """`weight` times `x`, [T, rows] with `frac_out` fraction bits."""
    top = x.e.amax(dim=1, keepdim=True)
    limbs = _limbs(x, top)
    match weight:
        case WideMatrix():
            exponent, sums = weight.exponent, weight.values @ limbs
        case PackedMatrix():
            exponent, sums = _packed_products(weight, limbs)
    low, high = sums.long().T.chunk(2)
    return sat(rsr(low + (high << LIMB_BITS), exponent + 19 - top + frac_in - frac_out))


def widened(weight: PackedMatrix) -> WideMatrix:
    """`weight` ready for many products."""
    scales = fixed_scales(weight)
    values = torch.empty((weight.rows, weight.cols), dtype=torch.float64)
    for rows in _slices(weight):
        _widen(weight, scales, rows, values[rows])
    return WideMatrix(exponent=scales.exponent, values=values)


def _limbs(x: Quantised, top: Tensor) -> Tensor:
    """The scaled activations' low and high limbs, float64 [cols, 2 T]."""
    scale = (x.m << 12) >> (top - x.e).clamp(max=31)
    scaled = (scale[:, :, None] * x.a).reshape(len(x.a), -1)
    high = rsr(scaled, LIMB_BITS)
    return torch.cat((scaled - (high << LIMB_BITS), high)).double().T.contiguous()


def _packed_products(weight: PackedMatrix, limbs: Tensor) -> tuple[int, Tensor]:
    """The exponent of `weight`, and its product with `limbs`, widening some rows at a time."""
    scales = fixed_scales(weight)
    sums = torch.empty((weight.rows, limbs.shape[1]), dtype=torch.float64)
    buffer = torch.empty((_rows_at_once(weight), weight.cols), dtype=torch.float64)
    for rows in _slices(weight):
        wide = buffer[: rows.stop - rows.start]
        _widen(weight, scales, rows, wide)
        torch.mm(wide, limbs, out=sums[rows])
    return scales.exponent, sums


def _widen(weight: PackedMatrix, scales: FixedScales, rows: slice, wide: Tensor) -> None:
    """Write the integers `D q + M` of some rows to `wide`."""
    groups = wide.view(len(wide), -1, weight.group)
    groups.copy_(torch.from_numpy(weight.q[rows]).view(groups.shape))
    groups.mul_(torch.from_numpy(scales.d[rows])[:, :, None])
    if weight.bits == 4:
        groups.add_(torch.from_numpy(scales.m[rows])[:, :, None])


def _rows_at_once(weight: PackedMatrix) -> int:
    return min(weight.rows, max(1, WIDE_ELEMENTS // weight.cols))


def _slices(weight: PackedMatrix) -> list[slice]:
    step = _rows_at_once(weight)
    return [slice(i, min(i + step, weight.rows)) for i in range(0, weight.rows, step)]
