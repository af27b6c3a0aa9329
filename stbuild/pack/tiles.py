"""Tiles of a weight matrix as the words that a matmul unit reads (docs/machine.md)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stbuild.ir.packed import PackedMatrix
from stbuild.ir.types import LANES

NIBBLES, SIGNS = np.uint32(0x0F0F0F0F), np.uint32(0x80808080)

Words = NDArray[np.uint32]
"""Memory words: [..., 16] lanes of 32 bits."""


def tile_words(matrix: PackedMatrix, first: int = 0, step: int = 1) -> Words:
    """Tiles `first`, `first + step`, ... as [tiles, groups, words of a group, 16].

    Byte 4r + (c mod 4) of a word holds column c of 8 of row r, in its low nibble if c < 4.
    """
    groups, planes = matrix.cols // matrix.group, matrix.bits // 4
    halves = matrix.q.view(np.uint32).reshape(-1, LANES, groups, matrix.group // 8, 2)[first::step]
    words = np.empty((len(halves), groups, 1 + planes * matrix.group // 8, LANES), np.uint32)
    words[:, :, 0, :8] = _header(matrix.d, first, step)
    offsets = matrix.m.astype(np.uint16) if matrix.form.zero_points else matrix.m
    words[:, :, 0, 8:] = _header(offsets, first, step)
    for plane, (low, high) in enumerate(_planes(halves, matrix.bits)):
        start = 1 + plane * matrix.group // 8
        high <<= 4
        high |= low
        words[:, :, start : start + matrix.group // 8] = high.transpose(0, 2, 3, 1)
    return words


def _header(scales: NDArray[Any], first: int, step: int) -> Words:
    tiles = scales.reshape(-1, LANES, scales.shape[1])[first::step]
    return np.ascontiguousarray(tiles.transpose(0, 2, 1)).view(np.uint32)


def _planes(halves: Words, bits: int) -> Iterator[tuple[Words, Words]]:
    """Per nibble plane, columns 0 to 3 and (a copy of) columns 4 to 7, one nibble a byte."""
    low, high = halves[..., 0], halves[..., 1]
    if bits == 4:
        yield low, high.copy()
        return
    yield low & NIBBLES, high & NIBBLES
    yield (low ^ SIGNS) >> np.uint32(4) & NIBBLES, (high ^ SIGNS) >> np.uint32(4) & NIBBLES
