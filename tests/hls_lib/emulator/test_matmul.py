"""Law: the engine gives the integers of docs/numerics.md, whatever its channels, lanes, tokens and shapes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hls_lib.emulator.conftest import BuildNetwork
from tests.hls_lib.emulator.engine_network import PORTS, EngineSizes, engine_source
from tests.hls_lib.emulator.linear import (
    SCALE_BITS,
    Form,
    Vectors,
    Weights,
    channel_bytes,
    draw_vectors,
    draw_weights,
    extreme_vectors,
    extreme_weights,
    multiply,
    vector_bytes,
)  # fmt: skip
from tests.hls_lib.emulator.network import AnyArray, Network, Variant, aligned

FRAC_IN, FRAC_OUT = 16, 12
END = np.zeros((1, 16), np.int32)

SIZES = (
    EngineSizes(units=1, lanes=1, columns=512, chunk=6, token_lanes=1, depth=4),
    EngineSizes(units=2, lanes=3, columns=512, chunk=6, token_lanes=4, depth=64, zero_points=True),
    EngineSizes(units=3, lanes=2, columns=512, chunk=6, token_lanes=2, depth=16),
    EngineSizes(
        units=1,
        lanes=3,
        columns=512,
        chunk=7,
        token_lanes=3,
        depth=16,
        min_words=8,
        fabric=1,
        zero_points=True,
    ),
    EngineSizes(units=2, lanes=1, columns=512, chunk=4, token_lanes=3, depth=16, min_words=16, fabric=3),
)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """One op of a program; `load` false: it uses the vectors of the op before, and so its columns."""

    tiles: int
    columns: int
    form: Form
    load: bool
    source: int
    destination: int
    head: bool


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Where operands come from."""

    weights: Callable[[np.random.Generator, int, int, Form], Weights]
    vectors: Callable[[np.random.Generator, int, int], Vectors]


VARIANTS = [Variant.FAST, Variant.WITHOUT_VNNI, Variant.PORTABLE, Variant.TIMED, Variant.STRICT]
DRAWN = Draw(weights=draw_weights, vectors=draw_vectors)
EXTREME = Draw(weights=extreme_weights, vectors=extreme_vectors)


@st.composite
def programs(draw: st.DrawFn, sizes: EngineSizes) -> tuple[Linear, ...]:
    """Up to five ops; those behind the first head op are head ops too."""
    forms = [
        Form(group=group, bits=bits, zero_points=zero_points)
        for group in (32, 64, 128)
        for bits, zero_points in ((4, False), (8, False), (4, True))
        if bits // 4 * group // 8 >= sizes.min_words and (sizes.zero_points or not zero_points)
    ]
    ops: list[Linear] = []
    for _ in range(draw(st.integers(1, 5))):
        before = ops[-1] if ops else None
        head = bool(before and before.head) or draw(st.booleans())
        load = before is None or head != before.head or draw(st.booleans())
        columns = draw(st.sampled_from((128, 256, 512))) if load or before is None else before.columns
        ops.append(
            Linear(
                tiles=draw(st.integers(1, 20)),
                columns=columns,
                form=draw(st.sampled_from(forms)),
                load=load,
                source=draw(st.integers(0, PORTS - 1)),
                destination=draw(st.integers(0, PORTS - 1)),
                head=head,
            )
        )
    return tuple(ops)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda s: f"{s.units}x{s.lanes}-{s.min_words}")
def test_engine_equals_the_formula(build_network: BuildNetwork, sizes: EngineSizes, variant: Variant) -> None:
    network = build_network(engine_source(sizes), variant)
    examples = 25 if variant is Variant.FAST else 6

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        ops=programs(sizes),
        tokens=st.integers(1, sizes.chunk),
        head=st.booleans(),
        seed=st.integers(0, 2**32),
    )
    def check(ops: tuple[Linear, ...], tokens: int, head: bool, seed: int) -> None:
        given_y, expected_y = run(network, sizes, ops, tokens, head, np.random.default_rng(seed))
        for got, expected in zip(given_y, expected_y, strict=True):
            np.testing.assert_array_equal(got, expected)

    check()


@pytest.mark.parametrize("sizes", SIZES[2:], ids=lambda s: f"{s.units}x{s.lanes}-{s.min_words}")
def test_a_lane_takes_the_cycles_of_the_text_that_synthesis_gets(
    build_network: BuildNetwork, sizes: EngineSizes
) -> None:
    """Whole weight groups at a time in the emulator, words, scalings and results one by one in the text."""
    ops = tuple(
        Linear(
            tiles=40,
            columns=512,
            form=Form(group=group, bits=bits),
            load=True,
            source=0,
            destination=0,
            head=False,
        )
        for group, bits in ((32, 4), (128, 4), (64, 8))
        if bits // 4 * group // 8 >= sizes.min_words
    )
    cycles = {}
    for variant in (Variant.TIMED, Variant.TIMED_TEXT):
        network = build_network(engine_source(sizes), variant)
        for tokens in (1, 2, 4):
            run(network, sizes, ops, tokens, False, np.random.default_rng(1))
            cycles[variant, tokens] = network.cycles()
    for tokens in (1, 2, 4):
        fast, text = cycles[Variant.TIMED, tokens], cycles[Variant.TIMED_TEXT, tokens]
        assert abs(fast - text) <= len(ops), cycles


EXTREMES = tuple(
    Linear(tiles=5, columns=columns, form=form, load=True, source=0, destination=0, head=False)
    for columns, form in (
        (256, Form(group=128, bits=4)),
        (128, Form(group=128, bits=8)),
        (256, Form(group=32, bits=8)),
        (128, Form(group=32, bits=4)),
        (128, Form(group=32, bits=4, zero_points=True)),
        (512, Form(group=128, bits=4, zero_points=True)),
    )
)
"""Those of the fourth form have scales near 2^24, those of the fifth minima."""
LARGEST = replace(SIZES[3], min_words=4)


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.WITHOUT_VNNI, Variant.STRICT])
def test_the_largest_operands(build_network: BuildNetwork, variant: Variant) -> None:
    network = build_network(engine_source(LARGEST), variant)
    got, expected = run(network, LARGEST, EXTREMES, 7, True, np.random.default_rng(5), EXTREME)
    for y, y_expected in zip(got, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


def run(
    network: Network,
    sizes: EngineSizes,
    ops: tuple[Linear, ...],
    n: int,
    head: bool,
    rng: np.random.Generator,
    draw: Draw = DRAWN,
) -> tuple[list[AnyArray], list[AnyArray]]:
    """What the engine and what the formula writes to each destination."""
    inputs: list[list[AnyArray]] = [[] for _ in range(PORTS)]
    expected: list[list[AnyArray]] = [[] for _ in range(PORTS)]
    matrices: list[Weights] = []
    vectors: Vectors | None = None
    running = [op for op in ops if head or not op.head]
    for op in running:
        matrices.append(draw.weights(rng, 16 * op.tiles, op.columns, op.form))
        if op.load or vectors is None:
            vectors = draw.vectors(rng, 1 if op.head else n, op.columns)
            inputs[op.source].append(vector_bytes(vectors))
        expected[op.destination].append(multiply(matrices[-1], vectors, FRAC_IN, FRAC_OUT).reshape(-1))
    bases = [sum(op.tiles for op in running[:i]) % sizes.channels for i in range(len(running))]
    x = [np.concatenate((np.zeros((0, 64), np.uint8), *parts)) for parts in inputs]
    y = [np.concatenate((np.zeros(0, np.int64), *parts)) for parts in expected]
    weights = [channel_bytes(matrices, bases, c, sizes.channels) for c in range(sizes.channels)]
    exponents = iter([m.exponent for m in matrices] + [0] * len(ops))
    program = np.concatenate(
        (*(descriptor(op, base, next(exponents)) for op, base in _based(ops, sizes)), END)
    )
    results = [aligned(np.zeros(len(values), np.int32)) for values in y]
    buffers = [*map(aligned, (*weights, program, *x)), *results]
    counts = [len(program), *map(len, x), *(len(r) // 16 for r in results), *map(len, weights)]
    network.run(buffers, [n, int(head), *counts])
    return results, y


def _based(ops: tuple[Linear, ...], sizes: EngineSizes) -> list[tuple[Linear, int]]:
    return [(op, sum(o.tiles for o in ops[:i]) % sizes.channels) for i, op in enumerate(ops)]


def descriptor(op: Linear, base: int, exponent: int) -> AnyArray:
    """The memory word of one op."""
    word = np.zeros((1, 16), np.int32)
    shift = exponent + SCALE_BITS + FRAC_IN - FRAC_OUT
    word[0, :11] = (
        1, op.columns // 32, op.form.group // 32, op.form.bits // 4, op.tiles, base, op.load,
        op.source, op.destination, shift, op.head,
    )  # fmt: skip
    word[0, 13:15] = exponent, 3 if op.form.zero_points else 0
    return word
