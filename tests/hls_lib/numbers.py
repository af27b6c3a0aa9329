"""Vectors for the tests of operators: drawn over all sizes, as stream words and back."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.hls_lib.single import LANES, Words

LIMIT = 2**31 - 1
SEEDS = st.integers(0, 2**32 - 1)

Vector = list[int]


def vectors(seed: int, count: int, width: int) -> list[Vector]:
    """`count` vectors: zeros, extremes, tiny values, and each size in between."""
    return [vector(seed + i, width) for i in range(count)]


def vector(seed: int, width: int) -> Vector:
    rng = np.random.default_rng(seed)
    bits = int(rng.integers(0, 32))
    x = rng.integers(-(2**bits) + 1, 2**bits, width)
    match rng.integers(0, 8):
        case 0:
            x[:] = 0
        case 1:
            x = rng.choice([-LIMIT, LIMIT, 0, 1, -1], width)
        case 2:
            x[rng.integers(0, width)] = rng.choice([-LIMIT, LIMIT])
        case 3:
            x >>= rng.integers(0, 32, width)
    return [int(v) for v in x]


def words(*parts: list[Vector]) -> Words:
    """Vectors one behind the other as stream words."""
    flat = [v for part in parts for x in part for v in x]
    return np.array(flat, np.int64).astype(np.int32).reshape(-1, LANES)


def numbers(stream: Words, width: int) -> list[Vector]:
    """The vectors of a stream."""
    return [[int(v) for v in x] for x in stream.reshape(-1, width)]


def bytes_of(stream: Words) -> NDArray[np.uint8]:
    """Stream words as bytes [words, 64]."""
    return stream.view(np.uint8).reshape(-1, 64)
