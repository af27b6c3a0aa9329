"""Law: a vector that went in comes out before the next goes in, though stalling pipelines hold back words.

This is what a loop such as matmul, norm, matmul needs: the next vector waits for the one before.
"""

import numpy as np
import pytest

from tests.hls_lib.card import SHAPES, Card, drawn
from tests.hls_lib.operators import OPERATORS, example
from tests.hls_lib.single import Image, Operator

VECTORS = [op for op in OPERATORS if op.words]


@pytest.mark.parametrize("op", VECTORS, ids=lambda op: op.name)
def test_vectors_come_out_one_by_one(strict_image: Image, image: Image, op: Operator) -> None:
    case = example(op)
    strict = strict_image.run(op.name, case.command, case.inputs, case.outputs, case.vectors)
    plain = image.run(op.name, case.command, case.inputs, case.outputs)
    assert all(np.array_equal(a, b) for a, b in zip(strict, plain, strict=True))


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
