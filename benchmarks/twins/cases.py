"""The twins at the sizes at which they are compared."""

from collections.abc import Callable

import numpy as np

from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.verilated import TWINS, Bytes, Port
from stbuild.ir.streaming import CallSite
from stbuild.ops.add import Add
from stbuild.ops.fork import Fork
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.quantize import Quantize

LIMIT = 2**31 - 1
LANES = 16


SITE = CallSite(fracs=(16, 16), words=(36, 36), runs=2, head=False, chunk=8, context=1024, vocab_size=0)


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


def streams(inputs: int, outputs: int, tokens: int, words: int) -> Callable[[Generator], Traffic]:
    """Elements for each input; each output gives as many words."""

    def traffic(rng: Generator) -> Traffic:
        vectors = tuple(elements(rng, tokens * words) for _ in range(inputs))
        return Traffic(inputs=(command(tokens), *vectors), outputs=(tokens * words,) * outputs)

    return traffic


def quantized(tokens: int, words: int) -> Callable[[Generator], Traffic]:
    """Elements in, half as many words out."""

    def traffic(rng: Generator) -> Traffic:
        return Traffic(
            inputs=(command(tokens), elements(rng, tokens * words)), outputs=(tokens * words // 2,)
        )

    return traffic


def map_table() -> str:
    """The table of map_twin as C++."""
    rows = [int(line, 16) for line in (TWINS / "map_table.hex").read_text().split()]
    bases, slopes = (
        np.array([(r >> s) & 0xFFFFFFFF for r in rows], np.uint32).view(np.int32) for s in (0, 32)
    )
    lists = (", ".join(map(str, numbers)) for numbers in (bases, slopes))
    return f"static const stb::MapTable kTable = {{{{{next(lists)}}}, {{{next(lists)}}}}};"


ADD = Case(
    name="add",
    module="add_twin",
    parameters={"WORDS": 2 * 36},
    ports=(COMMAND, source("a"), source("b"), sink("y")),
    call="stb::add<2, 0, 576>",
    traffic=streams(2, 1, 8, 72),
    hardware=Add(name="y", width=576, a="a", b="b").hardware(SITE),
)
FORK = Case(
    name="fork",
    module="move_twin",
    parameters={"WORDS": 2 * 36, "BRANCHES": 2},
    ports=(COMMAND, source("x"), sink("y0"), sink("y1")),
    call="stb::fork<2, 0, 36>",
    traffic=streams(1, 2, 8, 72),
    hardware=Fork(words=36).hardware(SITE),
)
MULTIPLY = Case(
    name="multiply",
    module="multiply_twin",
    parameters={"WORDS": 2 * 36, "SHIFT": 16},
    ports=(COMMAND, source("a"), source("b"), sink("y")),
    call="stb::mul<2, 0, 576, 16>",
    traffic=streams(2, 1, 8, 72),
    hardware=Mul(name="y", width=576, a="a", b="b").hardware(SITE),
)
MAP = Case(
    name="map",
    module="map_twin",
    parameters={"WORDS": 2 * 36},
    ports=(COMMAND, source("x"), sink("y")),
    call="stb::map<2, 0, 576>",
    tail="kTable",
    prelude=map_table(),
    traffic=streams(1, 1, 8, 72),
    hardware=Map(
        name="y", width=576, x="x", function="silu", samples=(0.0,) * 257, bases=(0,) * 256
    ).hardware(SITE),
)
QUANTIZE = Case(
    name="quantize",
    module="quantize_twin",
    parameters={"WORDS": 2 * 36},
    ports=(COMMAND, source("x"), sink("y")),
    call="stb::quantize<2, 0, 576>",
    traffic=quantized(8, 72),
    hardware=Quantize(name="y", width=576, x="x").hardware(SITE),
)
CASES: tuple[Case, ...] = (ADD, FORK, MULTIPLY, MAP, QUANTIZE)
