"""Widths, heads and parts that are no multiples of 32: bit-exact on the card, near the module's floats."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stbuild.chain.float_verdict import MAX_ERROR
from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.sizes import SizeOverrides
from stbuild.reference.first_difference import relative_error
from tests.accelerator import LONG, Accelerator, accelerate_graph
from tests.families import family_model
from tests.floats import float_check
from tests.models import decoder
from tests.module_weights import weights_of

CONTEXT = 64
TOKENS = LONG[:60]
CHUNKS = (4, 3, 4, 1, *(4,) * 12)
SMALL = SizeOverrides(channels=6, lanes=3, chunk=4)
SIZES: dict[str, dict[str, Any]] = {
    "head_20_of_neighbours_layer_normed": {
        "width": 100, "ffn": 70, "heads": 5, "kv_heads": 1, "head_dim": 20, "rotary_dim": 20,
        "rotary_form": "rotate_every_two", "norm": "layer", "qk_norm": True, "vocab_size": 61,
        "softcap": 20.0,
    },
    "sigmoid_behind_layer_norm": {
        "width": 36, "ffn": 50, "norm": "layer", "bias": True, "gated": False, "activation": "sigmoid",
        "post_norm": True, "head_dim": 24, "rotary_dim": 8, "attention": "matmul",
    },
}  # fmt: skip
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "tied_gpt2_of_heads_of_25": ("GPT2LMHead", {"n_embd": 100, "vocab_size": 1009, "n_layer": 1}),
    "bloom_of_heads_of_25": ("Bloom", {"hidden_size": 100, "n_head": 4, "vocab_size": 61}),
    "grouped_heads_of_20": (
        "Llama", {"hidden_size": 80, "intermediate_size": 90, "vocab_size": 61, "tie_word_embeddings": True}
    ),
}  # fmt: skip


def model_of(name: str) -> Any:
    """The model with these sizes."""
    if name in SIZES:
        return decoder(**SIZES[name])
    family, changes = FAMILIES[name]
    return family_model(family, **changes)


def card(model: Any, folder: Path) -> Accelerator:
    """The model on an emulated card, with its prefill and its floats checked on the way."""
    traced = decode_graph(model, name="odd", context=CONTEXT)
    assert traced.graph.padding
    check_prefill(traced.graph, prefill_ops(model, context=CONTEXT))
    agreement, outcome = float_check(model, traced, context=CONTEXT)
    assert relative_error(outcome.graph, outcome.module) <= MAX_ERROR
    assert agreement.least_similar.cosine >= 0.995
    graph = FixNumerics()(traced.graph)
    weights = weights_of(model, graph, 32)
    return accelerate_graph(graph, weights, traced.tables, folder, overrides=SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SIZES, *FAMILIES])
def test_odd_sizes_are_near_the_floats_and_bit_exact(name: str, tmp_path: Path) -> None:
    card(model_of(name), tmp_path).check(TOKENS, CHUNKS)


@pytest.mark.slow
def test_no_logit_that_the_model_does_not_have_is_chosen(tmp_path: Path) -> None:
    """All 61 logits are far below 0, which a row of zeros would give."""
    model = family_model("GPTJ", n_embd=80, rotary_dim=20, vocab_size=61, n_layer=1)
    with torch.no_grad():
        model.lm_head.bias.sub_(100.0)
    accelerated = card(model, tmp_path)
    seen = accelerated.run(TOKENS[:8], (4, 4))
    assert all(logits.size == 61 and logits.max() < 0 for logits in seen.logits)
    accelerated.check(TOKENS[:8], (4, 4))
