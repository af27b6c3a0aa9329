"""Laws: every operator gives the bits of docs/numerics.md, for all runs and tokens of a launch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stbuild.ops.map import Map
from stbuild.ops.norm import Norm
from tests.hls_lib.card import CHUNK
from tests.hls_lib.numbers import SEEDS, Vector, bytes_of, numbers, vectors, words
from tests.hls_lib.operators import AFFINES, BASES, NORM_PARAMS, NORMS, ROTARIES, RUNS, SLOPES, WIDTH
from tests.hls_lib.single import LANES, Command, Image
from tests.reference import pure

TOKENS = st.integers(1, CHUNK)
EACH = settings(deadline=None, max_examples=60)


def outputs(image: Image, name: str, tokens: int, *inputs: list[Vector], width: int = WIDTH) -> list[Vector]:
    """What a process with one output makes of its inputs."""
    given_words = [words(x) for x in inputs]
    (y,) = image.run(name, Command(tokens=tokens), given_words, [RUNS * tokens * width // LANES])
    return numbers(y, width)


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_quantize(image: Image, seed: int, tokens: int) -> None:
    x = vectors(seed, RUNS * tokens, WIDTH)
    (y,) = image.run("quantize_0", Command(tokens=tokens), [words(x)], [RUNS * tokens * WIDTH // 32])
    groups = [g for v in x for g in pure.quantise(v)]
    assert bytes_of(y).tolist() == [[*(a % 256 for a in g.a), g.m, g.e, *[0] * 30] for g in groups]


def normalised(name: str, x: Vector, params: dict[str, Vector]) -> Vector:
    """Each segment of `x` by norm `name`, all with the same parameters."""
    norm, frac_in = NORMS[name]
    starts = range(0, WIDTH, norm.segment)
    segments = [x[s : s + norm.segment] for s in starts]
    return [y for part in segments for y in pure.norm(norm, part, frac_in, params.get("w"), params.get("b"))]


def with_zeros(norm: Norm, values: list[Vector]) -> list[Vector]:
    """`values` with zeros where the segments of `norm` have no elements."""
    return [[v if i % norm.segment < norm.elements else 0 for i, v in enumerate(row)] for row in values]


@pytest.mark.parametrize("name", NORMS)
@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_norm(image: Image, name: str, seed: int, tokens: int) -> None:
    norm, _ = NORMS[name]
    x = with_zeros(norm, vectors(seed, RUNS * tokens, WIDTH))
    kinds = NORM_PARAMS[name]
    params = with_zeros(norm, vectors(seed + 1000, RUNS * len(kinds), norm.segment))
    per_run = [dict(zip(kinds, params[r * len(kinds) :], strict=False)) for r in range(RUNS)]
    expected = [normalised(name, v, per_run[i // tokens]) for i, v in enumerate(x)]
    given_inputs = (x, params) if kinds else (x,)
    assert outputs(image, name, tokens, *given_inputs) == expected


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_map(image: Image, seed: int, tokens: int) -> None:
    op = Map(name="m", x="x", width=WIDTH, function="f", samples=(), bases=BASES, slopes=SLOPES)
    x = vectors(seed, RUNS * tokens, WIDTH)
    assert outputs(image, "map_0", tokens, x) == [[pure.function(op, v) for v in row] for row in x]


@pytest.mark.parametrize("name", AFFINES)
@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_affine(image: Image, name: str, seed: int, tokens: int) -> None:
    multiplier, shift, addend = AFFINES[name]
    x = vectors(seed, RUNS * tokens, WIDTH)
    expected = [[pure.sat(pure.rsr(v * multiplier, shift) + addend) for v in row] for row in x]
    assert outputs(image, name, tokens, x) == expected


@pytest.mark.parametrize(("name", "shift"), [("rescale_0", 4), ("rescale_1", -4), ("rescale_2", 0)])
@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_rescale(image: Image, name: str, shift: int, seed: int, tokens: int) -> None:
    x = vectors(seed, RUNS * tokens, WIDTH)
    assert outputs(image, name, tokens, x) == [[pure.sat(pure.rsr(v, shift)) for v in row] for row in x]


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_add(image: Image, seed: int, tokens: int) -> None:
    a, b = vectors(seed, RUNS * tokens, WIDTH), vectors(seed + 99, RUNS * tokens, WIDTH)
    assert outputs(image, "add_0", tokens, a, b) == [
        [pure.sat(p + q) for p, q in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)
    ]


@pytest.mark.parametrize(("name", "shift"), [("mul_0", 16), ("mul_1", 20)])
@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_mul(image: Image, name: str, shift: int, seed: int, tokens: int) -> None:
    a, b = vectors(seed, RUNS * tokens, WIDTH), vectors(seed + 99, RUNS * tokens, WIDTH)
    assert outputs(image, name, tokens, a, b) == [
        [pure.sat(pure.rsr(p * q, shift)) for p, q in zip(*rows, strict=True)]
        for rows in zip(a, b, strict=True)
    ]


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_parameters(image: Image, seed: int, tokens: int) -> None:
    x, params = vectors(seed, RUNS * tokens, WIDTH), vectors(seed + 99, RUNS, WIDTH)
    pairs = [list(zip(v, params[i // tokens], strict=True)) for i, v in enumerate(x)]
    assert outputs(image, "add_param_0", tokens, x, params) == [
        [pure.sat(a + b) for a, b in p] for p in pairs
    ]
    products = [[pure.sat(pure.rsr(a * b, 12)) for a, b in p] for p in pairs]
    assert outputs(image, "mul_param_0", tokens, x, params) == products


def rotated(x: Vector, row: Vector, head_dim: int, rotary_dim: int, interleaved: bool) -> Vector:
    """Rotary embedding of all heads, as docs/numerics.md has it."""
    cos, sin, half = row[:rotary_dim], row[rotary_dim:], rotary_dim // 2
    result = list(x)
    for start in range(0, len(x), head_dim):
        head = x[start : start + rotary_dim]
        turned = [-v for v in head[half:]] + head[:half]
        if interleaved:
            turned = [-head[i + 1] if i % 2 == 0 else head[i - 1] for i in range(rotary_dim)]
        for i in range(rotary_dim):
            result[start + i] = pure.sat(pure.rsr(head[i] * cos[i] + turned[i] * sin[i], 14))
    return result


@pytest.mark.parametrize("name", ROTARIES)
@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_rotary(image: Image, name: str, seed: int, tokens: int) -> None:
    heads, head_dim, rotary_dim, interleaved = ROTARIES[name]
    x = vectors(seed, RUNS * tokens, heads * head_dim)
    table = [[v >> 16 for v in row] for row in vectors(seed + 99, tokens, 2 * rotary_dim)]
    expected = [rotated(v, table[i % tokens], head_dim, rotary_dim, interleaved) for i, v in enumerate(x)]
    assert outputs(image, name, tokens, x, table, width=heads * head_dim) == expected


@pytest.mark.parametrize("head", [False, True])
def test_processes_of_the_head_see_one_token_or_none(image: Image, head: bool) -> None:
    command = Command(tokens=3, head=head)
    x = vectors(7, int(head), WIDTH)
    params = vectors(8, 1, WIDTH)
    (y,) = image.run("head_quantize", command, [words(x)], [3 * head])
    assert len(y) == 3 * head
    (y,) = image.run("head_add_param", command, [words(x), words(params)], [6 * head])
    assert numbers(y, WIDTH) == [[pure.sat(a + b) for a, b in zip(v, params[0], strict=True)] for v in x]
    image.run("head_norm", command, [words(x), words(params)], [6 * head])
