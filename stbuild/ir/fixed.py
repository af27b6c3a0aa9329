"""How a float in the graph or a checkpoint becomes an integer on the card (docs/numerics.md)."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stbuild.ir.graph import Param

INT32_MAX = 2**31 - 1
PARAM_FRAC = 16
"""Fraction bits of norm weights, norm biases and MulParam."""
TABLE_FRAC = 14
"""Fraction bits of rotary tables."""
EXP2 = tuple(round(2.0 ** (16 - j / 64)) for j in range(65))
"""2^(16 - j/64): the table of the softmax."""
TANH = tuple(round(math.tanh(j / 64) * 2**24) for j in range(513))
"""tanh(j/64) with 24 fraction bits: the table of the soft cap."""
CAP_LIMITS = (1.0, 8192.0)
"""Soft caps of attention scores whose integers, in base 2, stay within 32 bits."""
SLOPE_LIMIT = 64.0
"""Slopes of ALiBi whose integers, in base 2, stay within 32 bits."""
MAP_SEGMENTS_PER_UNIT = 8


def to_fixed(values: ArrayLike, frac: int) -> NDArray[np.int32]:
    """`round(values * 2^frac)`, half to even, saturated to +-(2^31 - 1)."""
    scaled = np.rint(np.asarray(values, dtype=np.float64) * 2.0**frac)
    return np.clip(scaled, -INT32_MAX, INT32_MAX).astype(np.int32)


def param_fixed(param: Param, values: ArrayLike, frac: int) -> NDArray[np.int32]:
    """`values`, a checkpoint tensor or rows of it, as `param` uses them: `scale * w + offset`, fixed."""
    return to_fixed(np.asarray(values, dtype=np.float64) * param.scale + param.offset, frac)


def norm_epsilon(eps: float, frac: int) -> int:
    """EPS of a norm whose input has `frac` fraction bits."""
    return round(eps * 2.0 ** (2 * frac))


def attention_scale(scale: float) -> int:
    """C: the factor of q.k in base 2 with 20 fraction bits."""
    return round(scale * math.log2(math.e) * 2**20)


def score_cap(cap: float) -> tuple[int, int]:
    """CAP, the soft cap in base 2 with 16 fraction bits, and PER_CAP = 2^46 / CAP; zeros without one."""
    if cap == 0:
        return 0, 0
    fixed = round(cap * math.log2(math.e) * 2**16)
    return fixed, round(2**46 / fixed)


def score_slope(slope: float) -> int:
    """What a position's distance takes from a score: base 2 with 24 fraction bits."""
    return round(slope * math.log2(math.e) * 2**24)


def affine_integers(scale: float, offset: float, frac: int) -> tuple[int, int, int]:
    """Multiplier, shift and addend of an Affine whose result has `frac` fraction bits."""
    addend = round(offset * 2.0**frac)
    if scale == 0:
        return 0, 16, addend
    shift = 22 - (math.frexp(abs(scale))[1] - 1)
    multiplier = round(math.ldexp(scale, shift))
    if abs(multiplier) == 2**23:
        return multiplier // 2, shift - 1, addend
    return multiplier, shift, addend


def map_integers(samples: tuple[float, ...], frac: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Bases and slopes of a Map from its 257 samples; raises ValueError when they leave int32."""
    bases = tuple(round(y * 2.0**frac) for y in samples[:-1])
    steps = pairwise(samples)
    slopes = tuple(round((b - a) * MAP_SEGMENTS_PER_UNIT * 2.0**frac) for a, b in steps)
    if max(map(abs, bases + slopes)) > INT32_MAX:
        raise ValueError(f"its values or slopes reach beyond {2 ** (31 - frac):,}")
    return bases, slopes
