"""Launches of norms: RMS norms with weights, layer norms with weights and biases."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.words import LANES, LIMIT, command, elements, sink, source
from stbuild.ir.param import Param
from stbuild.ir.streaming import CallSite
from stbuild.ops.norm import Norm

RUNS, FIN, EPS = 2, 12, 168


def vectors(rng: Generator, count: int, width: int) -> NDArray[np.int64]:
    """Vectors each of a size of its own, one of zeros, one of equal extremes."""
    bits = rng.integers(1, 32, (count, 1))
    values: NDArray[np.int64] = rng.integers(-LIMIT, LIMIT + 1, (count, width)) >> (31 - bits)
    values[rng.integers(0, count)] = 0
    values[rng.integers(0, count)] = rng.choice([-LIMIT, LIMIT], width)
    return values


def uneven(rng: Generator, count: int, width: int) -> NDArray[np.int64]:
    """The same around means of their own, some of them so far out that differences saturate."""
    values = vectors(rng, count, width) + rng.integers(-LIMIT, LIMIT + 1, (count, 1))
    most = rng.random((count, width)) < 0.9
    values[rng.integers(0, count)] = np.where(most, LIMIT, -LIMIT)[0]
    clipped: NDArray[np.int64] = np.clip(values, -LIMIT, LIMIT)
    return clipped


def normed(rng: Generator, tokens: int, words: int, center: bool) -> Traffic:
    """A launch of two runs, each with parameters of its own."""
    draw = uneven if center else vectors
    x = draw(rng, RUNS * tokens, words * LANES).astype(np.int32).view(np.uint8).reshape(-1, 64)
    params = elements(rng, RUNS * words * (2 if center else 1))
    return Traffic(inputs=(command(tokens), x, params), outputs=(RUNS * tokens * words,))


def norm_case(name: str, *, words: int, tokens: int, fout: int, center: bool) -> Case:
    """A norm with weights, of layer norms with biases."""
    width = words * LANES
    param = Param(names=("w", "w"), shape=(width,))
    op = Norm(
        name="y", width=width, x="x", segment=width, center=center, eps=1e-5, weight=param,
        bias=param if center else None,
    )  # fmt: skip
    site = CallSite(
        fracs=(FIN, fout), words=(words, words), runs=RUNS, head=False, chunk=8, context=1024, vocab_size=0
    )
    flag = str(center).lower()
    return Case(
        name=name,
        module="norm_twin",
        parameters={
            "RUNS": RUNS, "WORDS": words, "FOUT": fout, "EPS": EPS,
            **({"CENTER": 1, "BIAS": 1} if center else {}),
        },
        ports=(COMMAND, source("x"), source("params"), sink("y")),
        call=f"stb::norm<{RUNS}, 0, {width}, {width}, {flag}, {FIN}, {fout}, true, {flag}, {EPS}>",
        traffic=_traffic(tokens, words, center),
        hardware=op.hardware(site),
    )  # fmt: skip


def _traffic(tokens: int, words: int, center: bool) -> Callable[[Generator], Traffic]:
    return lambda rng: normed(rng, tokens, words, center)


NORM_CASES = (
    norm_case("norm", words=256, tokens=3, fout=16, center=False),
    norm_case("layer_norm", words=64, tokens=8, fout=14, center=True),
)
