"""The one power of two that makes a tensor's fp16 weight scales integers: B, D and M of the numerics."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stbuild.ir.packed import PackedMatrix
from stbuild.ir.types import GROUP

FP16_FRAC = 24
"""Every fp16 number is an integer times 2^-24."""
MAX_EXPONENT = 40
SCALE_BITS = 24
"""|D| and |M| stay below 2^24."""
SUM_LIMIT = 2**42
"""Bound of a row's sum: 2^62 for the accumulator, less 2^20 for the activation scale."""
DOT_LIMIT = {4: 15 * 127 * GROUP, 8: 128 * 127 * GROUP}
"""The greatest |dot product| of one activation group, by weight bits."""
ASUM_LIMIT = 127 * GROUP

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedScales:
    """`d = D * 2^-exponent` and `m = M * 2^-exponent`, truncated; D and M are [rows, groups] int64.

    With zero points, `M = -D * z`.
    """

    exponent: int
    d: Integers
    m: Integers


def fixed_scales(matrix: PackedMatrix) -> FixedScales:
    """The exponent of `matrix` with its integer scales and minima (docs/numerics.md, Linear)."""
    exponent = min(_exact_exponent(matrix), MAX_EXPONENT)
    while not _fits(matrix, found := _scales_at(matrix, exponent)):
        exponent -= 1
    return found


def _units(scales: NDArray[np.float16]) -> Integers:
    """fp16 numbers in units of 2^-24: exact, below 2^40."""
    return (scales.astype(np.float64) * 2.0**FP16_FRAC).astype(np.int64)


def _scales_at(matrix: PackedMatrix, exponent: int) -> FixedScales:
    """The scales on `exponent`; the minimum of a zero point is as many times the truncated scale."""
    d = _at(_units(matrix.d), exponent)
    m: Integers = -d * matrix.m if matrix.form.zero_points else _at(_units(matrix.m), exponent)
    return FixedScales(exponent=exponent, d=d, m=m)


def _exact_exponent(matrix: PackedMatrix) -> int:
    """The least exponent at which every scale is an integer; 0 for a tensor of zeros."""
    scales = (matrix.d,) if matrix.form.zero_points else (matrix.d, matrix.m)
    bits = int(np.bitwise_or.reduce([np.bitwise_or.reduce(_units(s), axis=None) for s in scales]))
    return FP16_FRAC - ((bits & -bits).bit_length() - 1) if bits else 0


def _at(units: Integers, exponent: int) -> Integers:
    """Integers on `exponent`, truncated towards zero."""
    result: Integers = np.sign(units) * (np.abs(units) >> (FP16_FRAC - exponent))
    return result


def _fits(matrix: PackedMatrix, scales: FixedScales) -> bool:
    size_d, size_m = np.abs(scales.d), np.abs(scales.m)
    if max(size_d.max(), size_m.max()) >= 2**SCALE_BITS:
        return False
    sums = size_d.sum(axis=1) * DOT_LIMIT[matrix.bits] + size_m.sum(axis=1) * ASUM_LIMIT
    return bool((sums * (matrix.group // GROUP)).max() < SUM_LIMIT)
