"""Laws: forks, slices, concatenations, loops and sampling move the words that they should."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hls_lib.card import CHUNK
from tests.hls_lib.numbers import LIMIT, SEEDS, numbers, vectors, words
from tests.hls_lib.operators import RUNS, WIDTH
from tests.hls_lib.single import Command, Image

TOKENS = st.integers(1, CHUNK)
EACH = settings(deadline=None, max_examples=25)


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_slice(image: Image, seed: int, tokens: int) -> None:
    x = vectors(seed, RUNS * tokens, 96)
    (y,) = image.run("slice", Command(tokens=tokens), [words(x)], [3 * len(x)])
    assert numbers(y, 48) == [v[32:80] for v in x]


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_concat(image: Image, seed: int, tokens: int) -> None:
    parts = [vectors(seed + i, RUNS * tokens, width) for i, width in enumerate((32, 16, 48))]
    (y,) = image.run("concat", Command(tokens=tokens), [words(p) for p in parts], [6 * RUNS * tokens])
    assert numbers(y, 96) == [a + b + c for a, b, c in zip(*parts, strict=True)]


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_fork(image: Image, seed: int, tokens: int) -> None:
    x = words(vectors(seed, RUNS * tokens, WIDTH))
    for name, count in (("fork_1", 1), ("fork_3", 3)):
        copies = image.run(name, Command(tokens=tokens), [x], [len(x)] * count)
        assert [c.tolist() for c in copies] == [x.tolist()] * count


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_loop(image: Image, seed: int, tokens: int) -> None:
    runs = [vectors(seed + i, tokens, 32) for i in range(3)]
    command = Command(tokens=tokens)
    (y,) = image.run("loop_head", command, [words(runs[0]), words(*runs[1:])], [6 * tokens])
    assert y.tolist() == words(*runs).tolist()
    back, last = image.run("loop_tail", command, [words(*runs)], [4 * tokens, 2 * tokens])
    assert back.tolist() == words(*runs[:2]).tolist()
    assert last.tolist() == words(runs[2]).tolist()


@EACH
@given(seed=SEEDS, tokens=TOKENS, head=st.booleans())
def test_take_last(image: Image, seed: int, tokens: int, head: bool) -> None:
    x = vectors(seed, tokens, WIDTH)
    (y,) = image.run("take_last", Command(tokens=tokens, head=head), [words(x)], [6 * head])
    assert numbers(y, WIDTH) == (x[-1:] if head else [])


@EACH
@given(seed=SEEDS, tokens=TOKENS)
def test_argmax(image: Image, seed: int, tokens: int) -> None:
    (x,) = vectors(seed, 1, WIDTH)
    logits, token = image.run("argmax", Command(tokens=tokens), [words([x])], [6, 1])
    assert numbers(logits, WIDTH) == [x]
    assert token[0].tolist() == [x.index(max(x[:90])), *[0] * 15]


def test_argmax_takes_the_first_of_equals_and_no_padding(image: Image) -> None:
    x = [-LIMIT] * 90 + [5] * 6
    _, token = image.run("argmax", Command(tokens=1), [words([x])], [6, 1])
    assert token[0, 0] == 0


def test_argmax_without_head_does_nothing(image: Image) -> None:
    image.run("argmax", Command(tokens=2, head=False), [words([])], [0, 0])
