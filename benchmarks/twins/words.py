"""Words of streams that cases draw, and their ports."""

import numpy as np

from benchmarks.twins.comparison import Generator
from benchmarks.twins.verilated import Bytes, Port

LIMIT = 2**31 - 1
LANES = 16


def command(tokens: int, head: bool = True, pos: int = 0) -> Bytes:
    """A launch's command as a word of its stream."""
    return np.array([[tokens | int(head) << 16 | pos << 32]], np.uint64).view(np.uint8)


def elements(rng: Generator, words: int) -> Bytes:
    """Words of elements of all sizes: each word has its own, and one in eight holds extremes."""
    bits = rng.integers(0, 32, (words, 1))
    values = rng.integers(-LIMIT, LIMIT + 1, (words, LANES)) >> (31 - bits)
    extremes = rng.choice([-LIMIT, LIMIT, 0, 1, -1], (words, LANES))
    drawn = np.where(rng.random((words, 1)) < 0.125, extremes, values)
    return np.maximum(drawn, -LIMIT).astype(np.int32).view(np.uint8)


def source(name: str) -> Port:
    """A stream of words into the twin."""
    return Port(name=name, into_twin=True)


def sink(name: str) -> Port:
    """A stream of words out of it."""
    return Port(name=name, into_twin=False)
