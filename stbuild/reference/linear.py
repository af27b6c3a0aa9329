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
from stbuild.reference.threads import Mapper

LIMB_BITS = 14
WIDE_ELEMENTS = 2**19
"""Weights that a thread widens to float64 at a time: 4 MB, so that they stay in a cache."""
PART_ROWS = 1024
"""Rows of a matrix that a thread takes."""


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


def linear(
    x: Quantised, weight: PackedMatrix | WideMatrix, frac_in: int, frac_out: int, each: Mapper = map
) -> Tensor:
    """`weight` times `x`, [T, rows] with `frac_out` fraction bits; `each` may share out the rows."""
    top = x.e.amax(dim=1, keepdim=True)
    limbs = _limbs(x, top)
    match weight:
        case WideMatrix():
            exponent, rows = weight.exponent, len(weight.values)
            parts = each(lambda part: _sums(weight.values[part], limbs), _parts(rows, PART_ROWS))
        case PackedMatrix():
            scales = fixed_scales(weight)
            exponent, rows = scales.exponent, weight.rows
            parts = each(lambda part: _packed_sums(weight, scales, part, limbs), _parts(rows, PART_ROWS))
    shift = exponent + 19 - top + frac_in - frac_out
    return torch.cat([sat(rsr(sums, shift)) for sums in parts], dim=1)


def widened(weight: PackedMatrix) -> WideMatrix:
    """`weight` ready for many products."""
    scales = fixed_scales(weight)
    values = torch.empty((weight.rows, weight.cols), dtype=torch.float64)
    for rows in _parts(weight.rows, PART_ROWS):
        _widen(weight, scales, rows, values[rows])
    return WideMatrix(exponent=scales.exponent, values=values)


def _limbs(x: Quantised, top: Tensor) -> Tensor:
    """The scaled activations' low and high limbs, float64 [cols, 2 T]."""
    scale = (x.m << 12) >> (top - x.e).clamp(max=31)
    scaled = (scale[:, :, None] * x.a).reshape(len(x.a), -1)
    high = rsr(scaled, LIMB_BITS)
    return torch.cat((scaled - (high << LIMB_BITS), high)).double().T.contiguous()


def _sums(values: Tensor, limbs: Tensor) -> Tensor:
    """Exact sums [T, rows] of `values` [rows, cols] times both limbs."""
    low, high = (values @ limbs).long().T.chunk(2)
    return low + (high << LIMB_BITS)


def _packed_sums(weight: PackedMatrix, scales: FixedScales, part: slice, limbs: Tensor) -> Tensor:
    """The sums of the rows in `part`, of which some at a time are widened."""
    step = max(1, WIDE_ELEMENTS // weight.cols)
    buffer = torch.empty((step, weight.cols), dtype=torch.float64)
    sums = []
    for rows in _parts(part.stop, step, part.start):
        wide = buffer[: rows.stop - rows.start]
        _widen(weight, scales, rows, wide)
        sums.append(_sums(wide, limbs))
    return torch.cat(sums, dim=1)


def _widen(weight: PackedMatrix, scales: FixedScales, rows: slice, wide: Tensor) -> None:
    """Write the integers `D q + M` of some rows to `wide`."""
    groups = wide.view(len(wide), -1, weight.group)
    groups.copy_(torch.from_numpy(weight.q[rows]).view(groups.shape))
    groups.mul_(torch.from_numpy(scales.d[rows])[:, :, None])
    if weight.bits == 4:
        groups.add_(torch.from_numpy(scales.m[rows])[:, :, None])


def _parts(stop: int, step: int, start: int = 0) -> list[slice]:
    """The range from `start` to `stop` in parts of `step`."""
    return [slice(i, min(i + step, stop)) for i in range(start, stop, step)]
