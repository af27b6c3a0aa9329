"""The linear operation of docs/numerics.md in plain numpy, and its operands as memory words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.hls_lib.emulator.network import AnyArray

SATURATION = 2**31 - 1
SCALE_BITS = 19

Int = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """`q` [rows, K]; fp16 `d` and `m` [rows, K / group]; the exponent B. `m` of uint16: zero points."""

    bits: int
    group: int
    q: Int
    d: NDArray[np.float16]
    m: NDArray[np.float16] | NDArray[np.uint16]
    exponent: int

    @property
    def zero_points(self) -> bool:
        return self.m.dtype == np.uint16

    @property
    def tiles(self) -> int:
        return len(self.q) // 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Vectors:
    """Quantised activations: int8 `values` [tokens, K], `mantissa` and `exponent` [tokens, K / 32]."""

    values: Int
    mantissa: Int
    exponent: Int


@dataclass(frozen=True, kw_only=True)
class Form:
    """A number format of weights."""

    group: int
    bits: int
    zero_points: bool = False


def draw_weights(rng: np.random.Generator, rows: int, columns: int, form: Form) -> Weights:
    """Random weights whose exponent keeps the bounds of the document."""
    low, high = (0, 16) if form.bits == 4 else (-128, 128)
    scales = rng.normal(size=(2, rows, columns // form.group)).astype(np.float16)
    minima = scales[1] if form.bits == 4 else np.zeros_like(scales[1])
    zeros = rng.integers(0, 17, minima.shape, dtype=np.uint16)
    q = rng.integers(low, high, (rows, columns))
    offsets, exponent = zeros if form.zero_points else minima, int(rng.integers(0, 18))
    return Weights(bits=form.bits, group=form.group, q=q, d=scales[0], m=offsets, exponent=exponent)


def draw_vectors(rng: np.random.Generator, tokens: int, columns: int) -> Vectors:
    """Random activations, a part of them with the extreme values."""
    groups = (tokens, columns // 32)
    values = rng.integers(-127, 128, (tokens, columns))
    values[rng.random(values.shape) < 0.2] = rng.choice((-127, 127))
    return Vectors(
        values=values, mantissa=rng.integers(128, 256, groups), exponent=rng.integers(0, 25, groups)
    )


def extreme_weights(rng: np.random.Generator, rows: int, columns: int, form: Form) -> Weights:
    """Values at either end, often all of a row, and scales as large as the document allows."""
    times = 16 if form.zero_points else 1
    low, high, most = (0, 15, 60960 + times * 4064) if form.bits == 4 else (-128, 127, 520192)
    q = np.where(rng.random((rows, 1)) < rng.random((rows, columns)), low, high)
    scales = rng.choice((-255.875, 255.875), (2, rows, columns // form.group)).astype(np.float16)
    minima = scales[1] if form.bits == 4 else np.zeros_like(scales[1])
    zeros = rng.choice(np.array((0, 16), np.uint16), minima.shape)
    largest = 12 if form.zero_points else 16
    exponent = min(largest, int(np.log2(2**42 / (columns // 32 * 255.875 * most))))
    offsets = zeros if form.zero_points else minima
    return Weights(bits=form.bits, group=form.group, q=q, d=scales[0], m=offsets, exponent=exponent)


def extreme_vectors(rng: np.random.Generator, tokens: int, columns: int) -> Vectors:
    """Values and scales as large as they get, whole vectors of one sign among them."""
    sign = np.where(rng.random((tokens, 1)) < rng.random((tokens, columns)), -1, 1)
    groups = (tokens, columns // 32)
    return Vectors(values=127 * sign, mantissa=np.full(groups, 255), exponent=np.full(groups, 24))


def multiply(weights: Weights, x: Vectors, frac_in: int, frac_out: int) -> Int:
    """`y` [tokens, rows]."""
    d, minima = (
        np.trunc(s.astype(np.float64) * 2.0**weights.exponent).astype(np.int64)
        for s in (weights.d, weights.m)
    )
    m = -d * weights.m.astype(np.int64) if weights.zero_points else minima
    return np.stack([_multiply_token(weights, d, m, x, t, frac_in - frac_out) for t in range(len(x.values))])


def _multiply_token(weights: Weights, d: Int, m: Int, x: Vectors, token: int, frac: int) -> Int:
    greatest = int(x.exponent[token].max())
    scales = (x.mantissa[token] << 12) >> np.minimum(greatest - x.exponent[token], 31)
    values = x.values[token].reshape(-1, 32)
    dots = np.einsum("rgc,gc->rg", weights.q.reshape(len(weights.q), -1, 32), values)
    ratio = weights.group // 32
    d_part, m_part = (s * dots_of for s, dots_of in ((scales, dots), (scales, values.sum(axis=1))))
    sums = d.repeat(ratio, axis=1) * d_part + m.repeat(ratio, axis=1) * m_part
    return saturated_shift(sums.sum(axis=1), weights.exponent + SCALE_BITS - greatest + frac)


def saturated_shift(sums: Int, shift: int) -> Int:
    """`sat(rsr(sums, shift))`."""
    if shift > 0:
        shift = min(shift, 62)
        rounded: Int = np.clip((sums + (1 << (shift - 1))) >> shift, -SATURATION, SATURATION)
        return rounded
    shifted: Int = np.clip(sums, -SATURATION, SATURATION) << min(-shift, 31)
    return np.clip(shifted, -SATURATION, SATURATION)


def tile_bytes(weights: Weights, tile: int) -> AnyArray:
    """The memory words [words, 64] of one tile, byte by byte as docs/machine.md says."""
    rows = slice(16 * tile, 16 * tile + 16)
    words = []
    for group in range(weights.q.shape[1] // weights.group):
        words.append(_header(weights, rows, group))
        columns = slice(weights.group * group, weights.group * (group + 1))
        for plane in _planes(weights.q[rows, columns], weights.bits):
            words += [_value_word(plane[:, j : j + 8]) for j in range(0, weights.group, 8)]
    return np.stack(words)


def _header(weights: Weights, rows: slice, group: int) -> AnyArray:
    halves = [s[rows, group].copy().view(np.uint8) for s in (weights.d, weights.m)]
    return np.concatenate(halves)


def _planes(q: Int, bits: int) -> tuple[Int, ...]:
    return (q,) if bits == 4 else (q & 15, (q >> 4) + 8)


def _value_word(nibbles: Int) -> AnyArray:
    """Row r, column c of [16, 8]: byte 4r + c mod 4, low nibble if c < 4."""
    return (nibbles[:, :4] | nibbles[:, 4:] << 4).astype(np.uint8).reshape(64)


def vector_bytes(x: Vectors) -> AnyArray:
    """The quantised words [tokens * K / 32, 64]."""
    words = np.zeros((x.mantissa.size, 64), np.uint8)
    words[:, :32] = x.values.astype(np.int8).reshape(-1, 32).view(np.uint8)
    words[:, 32], words[:, 33] = x.mantissa.reshape(-1), x.exponent.reshape(-1)
    return words


def channel_bytes(matrices: Sequence[Weights], bases: Sequence[int], channel: int, channels: int) -> AnyArray:
    """The words of one channel: of each matrix the tiles r with (base + r) mod channels = channel."""
    tiles = [
        tile_bytes(weights, r)
        for weights, base in zip(matrices, bases, strict=True)
        for r in range(weights.tiles)
        if (base + r) % channels == channel
    ]
    return np.concatenate((np.zeros((0, 64), np.uint8), *tiles))
