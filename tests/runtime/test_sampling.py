"""Sampling: the chances of tokens equal those of transformers' own logits warpers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from stbuild.errors import StbuildError
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.sampling import Sampler, Sampling, probabilities
from stbuild.runtime.session import LOGITS_FRAC, Session


def warped(logits: NDArray[np.int32], sampling: Sampling) -> NDArray[np.float64]:
    """The chances by transformers, in the order in which generate() applies its warpers."""
    ids = torch.zeros((1, 1), dtype=torch.long)
    scores = torch.from_numpy(logits.astype(np.float64) / 2**LOGITS_FRAC)[None]
    scores = TemperatureLogitsWarper(sampling.temperature)(ids, scores)
    if sampling.top_k:
        scores = TopKLogitsWarper(sampling.top_k)(ids, scores)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(ids, scores)
    chances: NDArray[np.float64] = scores.softmax(-1)[0].numpy()
    return chances


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 400),
    temperature=st.floats(0.05, 5),
    top_k=st.integers(0, 500),
    top_p=st.floats(0, 1),
)
def test_chances_are_those_of_transformers(
    seed: int, size: int, temperature: float, top_k: int, top_p: float
) -> None:
    logits = np.random.default_rng(seed).integers(-(2**20), 2**20, size, dtype=np.int32)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    found, expected = probabilities(logits, sampling), warped(logits, sampling)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.array_equal(found > 0, expected > 0)


@pytest.mark.parametrize(
    ("top_k", "top_p", "kept"),
    [(0, 1.0, range(5)), (2, 1.0, range(3)), (0, 0.25, range(1)), (0, 0.0, range(1)), (99, 1.0, range(5))],
)
def test_ties_with_the_last_token_are_kept_by_top_k(top_k: int, top_p: float, kept: range) -> None:
    logits = np.array([5, 4, 4, 2, 0], np.int32) << LOGITS_FRAC
    sampling = Sampling(temperature=1.0, top_k=top_k, top_p=top_p)
    chances = probabilities(logits, sampling)
    assert np.flatnonzero(chances).tolist() == list(kept)
    np.testing.assert_allclose(chances, warped(logits, sampling), atol=1e-12)


@settings(max_examples=30)
@given(st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=8), st.floats(1e-320, 10))
def test_probabilities_sum_to_one_and_keep_the_order(logits: list[int], temperature: float) -> None:
    values = np.array(logits, np.int32)
    chances = probabilities(values, Sampling(temperature=temperature))
    assert chances.sum() == pytest.approx(1)
    assert chances[values.argmax()] == chances.max()


def test_only_kept_tokens_are_drawn(bundle: Bundle) -> None:
    session = Session(NativeDevice(bundle), bundle.manifest.model)
    greedy = session.prefill((3, 4))
    likeliest = set(np.argsort(session.logits())[-3:].tolist())
    sampler = Sampler(Sampling(temperature=50.0, top_k=3, seed=1))
    assert {sampler.choose(greedy, session) for _ in range(200)} == likeliest


@pytest.mark.parametrize(
    ("sampling", "sentence"),
    [
        ({"temperature": -1.0}, "temperature must be 0 or more, got -1.0"),
        ({"temperature": float("nan")}, "temperature must be 0 or more, got nan"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"temperature": 1.0, "top_k": -1}, r"top-k must be 0 or more, got -1 \(0 keeps all tokens\)"),
        ({"temperature": 1.0, "top_p": 1.5}, r"top-p must be 0 to 1, got 1.5 \(1 keeps all tokens\)"),
        (
            {"top_k": 3},
            r"top-k has no effect at temperature 0 \(temperature 0 takes the likeliest token: give",
        ),
        ({"top_p": 0.9}, "top-p has no effect at temperature 0"),
    ],
)
def test_sampling_that_makes_no_sense(sampling: dict[str, float], sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        Sampling(**sampling)  # type: ignore[arg-type]  # wrong on purpose
