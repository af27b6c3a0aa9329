"""Launches of an RMS norm."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.words import LANES, LIMIT, command, elements, sink, source
from stbuild.ir.param import Param
from stbuild.ir.streaming import CallSite
from stbuild.ops.norm import Norm

RUNS, FIN, EPS = 2, 12, 168
SITE = CallSite(fracs=(16, 16), words=(36, 36), runs=2, head=False, chunk=8, context=1024, vocab_size=0)


def vectors(rng: Generator, count: int, width: int) -> NDArray[np.int64]:
    """Vectors each of a size of its own, one of zeros, one of equal extremes."""
    bits = rng.integers(1, 32, (count, 1))
    values: NDArray[np.int64] = rng.integers(-LIMIT, LIMIT + 1, (count, width)) >> (31 - bits)
    values[rng.integers(0, count)] = 0
    values[rng.integers(0, count)] = rng.choice([-LIMIT, LIMIT], width)
    return values


def normed(rng: Generator, tokens: int, words: int) -> Traffic:
    """A launch of two runs, each with weights of its own."""
    x = vectors(rng, RUNS * tokens, words * LANES).astype(np.int32).view(np.uint8).reshape(-1, 64)
    return Traffic(inputs=(command(tokens), x, elements(rng, RUNS * words)), outputs=(RUNS * tokens * words,))


WORDS, FOUT = 256, 16
WIDTH = WORDS * LANES
NORM = Case(
    name="norm",
    module="norm_twin",
    parameters={"RUNS": RUNS, "WORDS": WORDS, "FOUT": FOUT, "EPS": EPS},
    ports=(COMMAND, source("x"), source("params"), sink("y")),
    call=f"stb::norm<{RUNS}, 0, {WIDTH}, {WIDTH}, false, {FIN}, {FOUT}, true, false, {EPS}>",
    traffic=lambda rng: normed(rng, 3, WORDS),
    hardware=Norm(
        name="y", width=WIDTH, x="x", segment=WIDTH, center=False, eps=1e-5,
        weight=Param(names=("w", "w"), shape=(WIDTH,)), bias=None,
    ).hardware(SITE),
)  # fmt: skip
