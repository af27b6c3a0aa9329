"""Random models on random machines: the C++ gives the reference's bits, whatever the chunks of the prompt."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.accelerator import accelerate, platform
from tests.random_models import Recipe, random_decoder, recipes

EXAMPLES = int(os.environ.get("STBUILD_EXAMPLES", "6"))
"""How many models a run draws; each is compiled, which takes some seconds."""
CARDS = ("u55c", "u280", "vck5000")


@st.composite
def machines(draw: st.DrawFn) -> dict[str, Any]:
    """A card and the sizes of its machine."""
    card = draw(st.sampled_from(CARDS))
    lanes = draw(st.sampled_from((1, 2, 3)))
    chunk = draw(st.sampled_from((1, 2, 4, 8)))
    return {
        "card": card,
        "group": draw(st.sampled_from((32, 64, 128))),
        "lanes": lanes,
        "channels": lanes * draw(st.integers(1, min(2, platform(card).memory.banks // lanes))),
        "chunk": chunk,
        "token_lanes": draw(st.sampled_from([n for n in (1, 2, 4) if n <= chunk])),
    }


@st.composite
def launches(draw: st.DrawFn, context: int, chunk: int) -> list[int]:
    """Chunks of a prompt that ends anywhere from one token to a full context."""
    left = draw(st.sampled_from((1, context // 2, context)))
    sizes = []
    while left:
        sizes.append(draw(st.integers(1, min(chunk, left))))
        left -= sizes[-1]
    return sizes


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=(Phase.generate,),  # shrinking would compile a hundred models
    suppress_health_check=list(HealthCheck),
    derandomize="STBUILD_EXAMPLES" not in os.environ,
)
@given(recipe=recipes(), machine=machines(), seed=st.integers(0, 99), data=st.data())
def test_any_model_is_bit_exact(recipe: Recipe, machine: dict[str, Any], seed: int, data: Any) -> None:
    context = recipe.shape.positions
    chunks = data.draw(launches(context, machine["chunk"]))
    tokens = [(7 * seed + 5 * i * i) % recipe.shape.vocab_size for i in range(sum(chunks))]
    note(f"{recipe}\n{machine}\n{chunks}")
    with tempfile.TemporaryDirectory() as folder:
        card = accelerate(random_decoder(recipe, seed), Path(folder), context=context, **machine)
        card.check(tokens, chunks)
