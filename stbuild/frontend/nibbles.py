"""The 4-bit numbers in int32 words, as AutoAWQ (its GEMM kernels) and AutoGPTQ pack them."""

import numpy as np
from numpy.typing import NDArray

IN_WORD = 8
AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""The nibble of a word, counted from the lowest, in which AutoAWQ keeps the first, second, ... of 8 numbers
(AWQ_REVERSE_ORDER in its awq/utils/packing_utils.py)."""
PLAIN_ORDER = tuple(range(IN_WORD))

Words = NDArray[np.int32]
Nibbles = NDArray[np.uint8]


def columns_of(words: Words, order: tuple[int, ...] = PLAIN_ORDER) -> Nibbles:
    """[n, m] words, each of which holds eight columns, as [n, 8 m] numbers."""
    return np.ascontiguousarray(transposed_columns_of(words, order).T)


def transposed_columns_of(words: Words, order: tuple[int, ...] = PLAIN_ORDER) -> Nibbles:
    """The same as [8 m, n]."""
    across = np.ascontiguousarray(words.T)
    numbers = np.empty((len(across), IN_WORD, across.shape[1]), np.uint8)
    for column, nibble in enumerate(order):
        numbers[:, column] = across >> np.int32(4 * nibble) & 15
    return numbers.reshape(-1, across.shape[1])


def transposed_rows_of(words: Words) -> Nibbles:
    """[m, n] words, each of which holds eight rows with the first one lowest, as [n, 8 m] numbers."""
    pairs = np.ascontiguousarray(words.T.astype("<i4", copy=False)).view(np.uint8)
    numbers = np.empty((len(pairs), 2 * pairs.shape[1]), np.uint8)
    np.bitwise_and(pairs, 15, out=numbers[:, 0::2])
    np.right_shift(pairs, 4, out=numbers[:, 1::2])
    return numbers
