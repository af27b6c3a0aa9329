"""Laws: attention gives the bits of docs/numerics.md, whatever the chunks of the prompt."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.hls_lib.card import CHUNK, CONTEXT, SHAPES, Card, Shape, drawn
from tests.hls_lib.numbers import SEEDS, bytes_of
from tests.hls_lib.single import Emulator, Image, build_image
from tests.reference import pure

EACH = settings(deadline=None, max_examples=8)


@pytest.fixture(scope="module")
def attention_image(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> Image:
    return build_image([s.operator() for s in SHAPES], tmp_path_factory.mktemp("attention"), emulator)


def chunks_of(length: int, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Spans of at most CHUNK positions whose sizes `cuts` gives in turn."""
    start = 0
    while start < length:
        size = min(cuts[start % len(cuts)], length - start)
        yield start, start + size
        start += size


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
@EACH
@given(
    seed=SEEDS, length=st.integers(1, CONTEXT), cuts=st.lists(st.integers(1, CHUNK), min_size=1, max_size=5)
)
def test_attention(attention_image: Image, shape: Shape, seed: int, length: int, cuts: list[int]) -> None:
    q, k, v = drawn(shape, seed, length)
    card, op = Card(image=attention_image, shape=shape), shape.op()
    for start, end in chunks_of(length, cuts):
        got = card.launch(*([run[start:end] for run in x] for x in (q, k, v)))
        for run in range(shape.runs):
            wanted = [
                pure.attention(op, q[run][i], k[run][: i + 1], v[run][: i + 1], run, shape.sinks_of(run))
                for i in range(start, end)
            ]
            assert got[run] == wanted


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_records_of_the_kv_cache(attention_image: Image, shape: Shape) -> None:
    q, k, v = drawn(shape, 11, 3)
    card = Card(image=attention_image, shape=shape)
    card.launch(q, k, v)
    for run in range(shape.runs):
        for i in range(3):
            keys, values = (pure.quantise(x[run][i], shape.head_dim) for x in (k, v))
            scales = [b for a, c in zip(keys, values, strict=True) for b in (a.m, a.e, c.m, c.e)]
            expected = b"".join((*map(_padded, keys), bytes(scales).ljust(64 * -(-len(scales) // 64), b"\0")))
            assert bytes_of(card.keys[run][i]).tobytes() == expected
            assert bytes_of(card.values[run][i]).tobytes() == b"".join(map(_padded, values))


def _padded(head: pure.Group) -> bytes:
    values: NDArray[np.int8] = np.array(head.a, np.int8)
    return values.tobytes().ljust(-(-len(values) // 64) * 64, b"\0")
