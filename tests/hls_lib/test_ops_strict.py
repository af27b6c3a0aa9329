"""Law: a vector that went in comes out before the next goes in, though stalling pipelines hold back words.

This is what a loop such as matmul, norm, matmul needs: the next vector waits for the one before.
"""

import pytest

from tests.hls_lib.card import SHAPES, Card, drawn
from tests.hls_lib.numbers import vector, words
from tests.hls_lib.operators import OPERATORS, RUNS
from tests.hls_lib.single import LANES, Command, Image, Operator

TOKENS = 2
VECTORS = [op for op in OPERATORS if op.words]


@pytest.mark.parametrize("op", VECTORS, ids=lambda op: op.name)
def test_vectors_come_out_one_by_one(strict_image: Image, image: Image, op: Operator) -> None:
    turns = {"i": RUNS * TOKENS, "o": RUNS * TOKENS, "p": RUNS}
    sizes = [turns[port] * size for port, size in zip(op.ports, op.words, strict=True)]
    streams = list(zip(op.ports, sizes, strict=True))
    inputs = [words([vector(size, size * LANES)]) for port, size in streams if port != "o"]
    outputs = [size for port, size in streams if port == "o"]
    command = Command(tokens=TOKENS)
    strict = strict_image.run(op.name, command, inputs, outputs, RUNS * TOKENS)
    plain = image.run(op.name, command, inputs, outputs)
    assert [y.tolist() for y in strict] == [y.tolist() for y in plain]


def test_attention_gives_a_run_before_it_takes_the_next(strict_image: Image, image: Image) -> None:
    q, k, v = drawn(SHAPES[0], 5, 6)
    strict = Card(image=strict_image, shape=SHAPES[0], turns=SHAPES[0].runs)
    plain = Card(image=image, shape=SHAPES[0])
    for tokens in (slice(0, 3), slice(3, 6)):
        given = [[run[tokens] for run in x] for x in (q, k, v)]
        assert strict.launch(*given) == plain.launch(*given)
    assert [[w.tolist() for w in run] for run in strict.keys] == [
        [w.tolist() for w in run] for run in plain.keys
    ]
