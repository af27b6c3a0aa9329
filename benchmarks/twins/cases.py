"""The twins at the sizes at which they are compared."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.twins.attention_case import SCORES, VALUES, WEIGHTS
from benchmarks.twins.collect_case import COLLECT, MERGE
from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.lane_case import LANE_CASES
from benchmarks.twins.norm_case import NORM_CASES
from benchmarks.twins.read_case import READ_CASES
from benchmarks.twins.router_case import DISPATCH, FAN
from benchmarks.twins.sequence_case import SEQUENCE
from benchmarks.twins.verilated import TWINS
from benchmarks.twins.words import LANES, LIMIT, command, elements, sink, source
from stbuild.ir.param import Param
from stbuild.ir.streaming import CallSite
from stbuild.ops import add
from stbuild.ops.add_param import AddParam
from stbuild.ops.argmax import Argmax
from stbuild.ops.fork import Fork
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.quantize import Quantize
from stbuild.ops.rotary import Rotary

SITE = CallSite(fracs=(16, 16), words=(36, 36), runs=2, head=False, chunk=8, context=1024, vocab_size=0)


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


def with_params(rng: Generator) -> Traffic:
    """Vectors of 576 elements in two runs, whose parameters come once."""
    tokens, words = 5, 36
    return Traffic(
        inputs=(command(tokens), elements(rng, 2 * tokens * words), elements(rng, 2 * words)),
        outputs=(2 * tokens * words,),
    )


def sampled(rng: Generator) -> Traffic:
    """Logits of which the greatest stands in several places."""
    logits = elements(rng, 400).view(np.int32)
    logits[rng.integers(0, 400, 20), rng.integers(0, LANES, 20)] = rng.choice([LIMIT, 17, 2**30])
    return Traffic(inputs=(command(1), logits.view(np.uint8)), outputs=(400, 1))


def rotated(rng: Generator) -> Traffic:
    """Heads of 64 elements, and rows of cos and sin."""
    tokens, words = 8, 2 * 3 * 4
    rows = rng.integers(-(2**15), 2**15, (tokens * 8, LANES)).astype(np.int32).view(np.uint8)
    heads = elements(rng, tokens * words)
    return Traffic(inputs=(command(tokens), heads, rows), outputs=(tokens * words,))


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
    hardware=add.Add(name="y", width=576, a="a", b="b").hardware(SITE),
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
ADD_PARAM = Case(
    name="add_param",
    module="add_param_twin",
    parameters={"RUNS": 2, "WORDS": 36},
    ports=(COMMAND, source("x"), source("params"), sink("y")),
    call="stb::add_param<2, 0, 576>",
    prelude='#include "stb/params.hpp"',
    traffic=with_params,
    hardware=AddParam(name="y", width=576, x="x", param=Param(names=("w", "w"), shape=(576,))).hardware(SITE),
)
ARGMAX = Case(
    name="argmax",
    module="argmax_twin",
    parameters={"WORDS": 400, "VALID": 6390},
    ports=(COMMAND, source("x"), sink("logits"), sink("token")),
    call="stb::argmax<400, 6390>",
    prelude='#include "stb/sample.hpp"',
    traffic=sampled,
    hardware=Argmax(words=400).hardware(SITE),
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


ROTARY = Case(
    name="rotary",
    module="rotary_twin",
    parameters={"RUNS": 2, "HEADS": 3, "HEAD_WORDS": 4, "ROTARY_WORDS": 4, "CHUNK": 8},
    ports=(COMMAND, source("x"), source("rows"), sink("y")),
    call="stb::rotary<2, 0, 3, 64, 64, false, 8>",
    traffic=rotated,
    hardware=Rotary(name="y", width=192, x="x", heads=3, head_dim=64, rotary_dim=64, table="t").hardware(
        replace(SITE, words=(12, 8))
    ),
)
CASES: tuple[Case, ...] = (
    ADD,
    FORK,
    ADD_PARAM,
    ARGMAX,
    MULTIPLY,
    MAP,
    ROTARY,
    QUANTIZE,
    *NORM_CASES,
    *READ_CASES,
    COLLECT,
    MERGE,
    FAN,
    DISPATCH,
    SEQUENCE,
    SCORES,
    WEIGHTS,
    VALUES,
    *LANE_CASES,
)
