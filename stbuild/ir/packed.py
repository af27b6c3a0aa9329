"""A weight matrix as the card stores it: small integers in groups of columns, each with fp16 scales."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.limits import GROUPS

FP16_MAX = 65504.0
LEAST_SCALE = 2.0**-23
"""Two units of fp16's last place: of a tensor whose largest scale is below, most scales round to 0 or 1."""

MOST_ZERO_POINT = 16
"""Of 4 bits, where GPTQ stores one less than it means."""

Half = NDArray[np.float16]
Float = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class MatrixForm:
    """A matrix's number format: bits, columns of a weight group, and whether zero points stand for minima."""

    bits: int
    group: int
    zero_points: bool = False

    def __str__(self) -> str:
        return f"{self.bits} bits in groups of {self.group}{' with zero points' * self.zero_points}"


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedMatrix:
    """`w = d * q + m` per group of columns: 4 bits with q 0..15 (uint8), or 8 bits (int8, m all 0).

    `d` and `m` are fp16 [rows, cols / group], `q` is [rows, cols], one value a byte. An `m` of uint8 holds
    zero points z 0..16 of a matrix of 4 bits: `w = d * (q - z)`.
    """

    rows: int
    cols: int
    group: int
    bits: int
    d: Half
    m: NDArray[Any]
    q: NDArray[Any]

    def __post_init__(self) -> None:
        _check_layout(self.cols, self.group)
        scales = (self.rows, self.cols // self.group)
        kind = {4: np.uint8, 8: np.int8}.get(self.bits)
        if kind is None:
            raise ValueError(f"weights have 4 or 8 bits, not {self.bits}")
        if self.d.shape != scales or self.m.shape != scales or self.q.shape != (self.rows, self.cols):
            raise ValueError(f"shapes {self.d.shape}, {self.m.shape}, {self.q.shape} do not fit {scales}")
        offsets = (np.float16, np.uint8) if self.bits == 4 else (np.float16,)
        if self.d.dtype != np.float16 or self.m.dtype not in offsets or self.q.dtype != kind:
            raise ValueError(f"types {self.d.dtype}, {self.m.dtype}, {self.q.dtype} are not those packed")
        if self.form.zero_points and self.m.max(initial=0) > MOST_ZERO_POINT:
            raise ValueError(f"a zero point is {self.m.max()}, {MOST_ZERO_POINT} at most")

    @property
    def form(self) -> "MatrixForm":
        """Its number format."""
        return MatrixForm(bits=self.bits, group=self.group, zero_points=self.m.dtype == np.uint8)

    @property
    def minima(self) -> Float:
        """What stands for q = 0, float32 [rows, cols / group]: exact, since -d * z has 16 bits."""
        offsets: Float = self.m.astype(np.float32)
        return offsets * -self.d.astype(np.float32) if self.form.zero_points else offsets

    @classmethod
    def affine4(cls, matrix: Float, group: int) -> Self:
        """Quantise [rows, cols] floats to 4 bits between each group's least and greatest value."""
        values = _grouped(matrix, group)
        low, high = values.min(axis=2), values.max(axis=2)
        _check_size(np.maximum(-low, high), 15)
        d, m = _half((high - low) / 15), _half(low)
        q = np.clip(np.rint((values - _wide(m)) * _inverse(d)), 0, 15).astype(np.uint8)
        return cls(rows=len(matrix), cols=matrix.shape[1], group=group, bits=4,
                   d=d, m=m, q=q.reshape(matrix.shape))  # fmt: skip

    @classmethod
    def symmetric8(cls, matrix: Float, group: int) -> Self:
        """Quantise [rows, cols] floats to 8 bits between -127 and 127 times each group's scale."""
        values = _grouped(matrix, group)
        sizes = np.abs(values).max(axis=2)
        _check_size(sizes, 127)
        d = _half(sizes / 127)
        q = np.clip(np.rint(values * _inverse(d)), -127, 127).astype(np.int8)
        return cls(rows=len(matrix), cols=matrix.shape[1], group=group, bits=8,
                   d=d, m=np.zeros_like(d), q=q.reshape(matrix.shape))  # fmt: skip

    def with_rows(self, rows: int) -> "PackedMatrix":
        """The same matrix with rows of zeros behind it, `rows` in all."""
        if rows == self.rows:
            return self
        d, m, q = (np.pad(a, ((0, rows - self.rows), (0, 0))) for a in (self.d, self.m, self.q))
        return replace(self, rows=rows, d=d, m=m, q=q)

    def dequantise(self) -> Float:
        """The floats [rows, cols] that the packed numbers stand for."""
        values = self.q.reshape(self.rows, -1, self.group).astype(np.float32)
        result: Float = (values * _wide(self.d) + self.minima[:, :, None]).reshape(self.rows, self.cols)
        return result


def _check_layout(cols: int, group: int) -> None:
    if group not in GROUPS:
        raise StbuildError(f"a weight group of {group} columns is not supported", hint="use 32, 64 or 128")
    if cols % group:
        raise StbuildError(f"{cols} columns do not divide into weight groups of {group}",
                           hint="choose a smaller weight group")  # fmt: skip


def _grouped(matrix: Float, group: int) -> Float:
    _check_layout(matrix.shape[1], group)
    result: Float = np.asarray(matrix, dtype=np.float32).reshape(len(matrix), -1, group)
    return result


def _check_size(sizes: Float, steps: int) -> None:
    """Refuse a matrix, other than zeros, of whose groups' largest values fp16 scales would leave nothing."""
    largest = float(sizes.max(initial=0.0))
    if 0 < largest < steps * LEAST_SCALE:
        least = steps * LEAST_SCALE
        raise StbuildError(
            f"its largest value is {largest:.2g}, too small for fp16 scales ({least:.2g} at least)",
            hint="multiply the tensor by a constant, and divide by it in the model",
        )


def _half(values: Float) -> Half:
    if not np.all(np.abs(values) <= FP16_MAX):
        raise StbuildError("a weight scale is not a number that fp16 holds (65504 at most)")
    return values.astype(np.float16)


def _wide(scales: Half) -> Float:
    return scales.astype(np.float32)[:, :, None]


def _inverse(scales: Half) -> Float:
    wide = _wide(scales)
    result: Float = np.divide(1, wide, out=np.zeros_like(wide), where=wide > 0)
    return result
