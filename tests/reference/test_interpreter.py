"""The reference on small models: chunks do not matter, floats are near, mistakes are told."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stbuild.errors import StbuildError
from stbuild.reference.accuracy import measure
from stbuild.reference.generate import generate, greedy
from stbuild.reference.interpreter import State
from tests.reference.small import CONTEXT, LAYERS, VOCAB, Variant, references, variants

PROMPTS = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=CONTEXT)


@settings(max_examples=25, deadline=None)
@given(variants(), PROMPTS, st.data())
def test_chunks_of_a_prompt_do_not_matter(variant: Variant, tokens: list[int], data: st.DataObject) -> None:
    exact, _ = references(variant)
    whole = exact.run(tokens, keep=("*", "a"), all_logits=True)
    state, parts, start = State(), [], 0
    while start < len(tokens):
        size = data.draw(st.integers(1, len(tokens) - start))
        parts.append(exact.run(tokens[start : start + size], state, keep=("*", "a"), all_logits=True))
        start += size
    assert torch.equal(torch.cat([p.logits for p in parts]), whole.logits)
    for place, value in whole.kept.items():
        assert torch.equal(torch.cat([p.kept[place] for p in parts]), value), place


def test_threads_do_not_matter() -> None:
    """Parts of an op go to as many threads as torch has, which is one in `make test`."""
    exact, _ = references(Variant())
    tokens = [7 * i % VOCAB for i in range(CONTEXT)]
    usual, outcomes = torch.get_num_threads(), []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        outcomes.append(exact.run(tokens, keep=("*",), all_logits=True))
    torch.set_num_threads(usual)
    for other in outcomes[1:]:
        assert torch.equal(other.logits, outcomes[0].logits)
        assert all(torch.equal(value, outcomes[0].kept[place]) for place, value in other.kept.items())


@settings(max_examples=25, deadline=None)
@given(variants(), PROMPTS)
def test_integers_are_near_floats(variant: Variant, tokens: list[int]) -> None:
    exact, floats = references(variant)
    ours, theirs = exact.run(tokens, all_logits=True).logits / 2**16, floats.run(tokens)
    error = (ours - theirs).norm() / theirs.norm()
    assert error < 0.06


@settings(max_examples=10, deadline=None)
@given(variants(), PROMPTS)
def test_logits_of_the_last_token(variant: Variant, tokens: list[int]) -> None:
    exact, _ = references(variant)
    assert torch.equal(exact.run(tokens).logits, exact.run(tokens, all_logits=True).logits[-1:])


@settings(max_examples=5, deadline=None)
@given(variants())
def test_matrices_kept_wide_change_nothing(variant: Variant) -> None:
    exact, _ = references(variant)
    packed = type(exact)(graph=exact.graph, weights=exact.weights, tables=exact.tables)
    assert torch.equal(exact.run([1, 2, 3]).logits, packed.run([1, 2, 3]).logits)


def test_hidden_states_are_kept_run_by_run() -> None:
    kept = references(Variant())[0].run([1, 2, 3], keep=("*",)).kept
    layers = [("layers", run, "y") for run in range(LAYERS)]
    assert list(kept) == [("embed", 0, "tok"), *layers, ("head", 0, "logits")]
    assert kept["layers", 1, "y"].shape == (3, 128)


def test_generation_is_that_of_whole_prompts() -> None:
    exact, _ = references(Variant(seed=3))
    tokens = list(generate(exact, [5, 6], 6))
    assert tokens == [greedy(exact.run([5, 6, *tokens[:i]]).logits) for i in range(6)]
    assert generate(exact, [5, 6], 6, stop=(tokens[1],)) == tuple(tokens[:2])


def test_greedy_takes_the_lowest_of_equals() -> None:
    assert greedy(torch.tensor([[9, 9, 9], [1, 7, 7]])) == 1


def test_accuracy_of_equal_models() -> None:
    floats = references(Variant())[1]
    same = measure(floats.run, floats.run, list(range(20)), window=6)
    assert (same.tokens, same.kl, same.top1, same.perplexity_change) == (20, 0, 1, 0)
    assert same.holds
    assert same.line().startswith("KL 0.0000, top-1 100.0%, perplexity +0.00% against float32 with the same")


def test_accuracy_of_different_models() -> None:
    one, other = (references(Variant(seed=seed))[1].run for seed in (1, 2))
    different = measure(one, other, list(range(20)))
    assert different.kl > 0.1
    assert not different.holds
    assert "(gate 94%)" in different.report()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], "there is no token to run"),
        ([0] * 33, "33 tokens do not fit the context of 32"),
        ([1, 48], "token 48 is not in the vocabulary of 48"),
    ],
)
def test_wrong_prompts(tokens: list[int], message: str) -> None:
    with pytest.raises(StbuildError, match=message):
        references(Variant())[0].run(tokens)
