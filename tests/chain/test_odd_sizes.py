"""Widths, heads and parts that are no multiples of 32: bit-exact on the card, near the module's floats."""

from pathlib import Path
from typing import Any

import pytest

from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from tests.accelerator import LONG, accelerate
from tests.floats import float_check
from tests.models import decoder

CHUNKS = (4, 4, 1, 3, 1, *(4,) * 14, 2)
SIZES: dict[str, dict[str, Any]] = {
    "hidden_100_ffn_273": {"width": 100, "ffn": 273, "tied": True},
    "stories260k": {"ffn": 172, "heads": 8, "kv_heads": 4, "head_dim": 8, "rotary_dim": 8},
    "layer_norm_240_with_biases": {
        "width": 240, "ffn": 273, "heads": 5, "kv_heads": 5, "head_dim": 48, "norm": "layer", "bias": True,
        "rotary_dim": 0, "gated": False, "activation": "gelu",
    },
    "head_100": {"width": 200, "heads": 2, "kv_heads": 1, "head_dim": 100, "rotary_dim": 100},
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


@pytest.mark.parametrize("name", SIZES)
def test_odd_sizes_are_near_the_floats(name: str) -> None:
    model = decoder(**SIZES[name])
    traced = decode_graph(model, name="odd", context=32)
    check_prefill(traced.graph, prefill_ops(model, context=32))
    assert traced.graph.padding
    agreement, _ = float_check(model, traced)
    assert agreement.least_similar.cosine >= 0.995


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_odd_sizes_are_bit_exact(name: str, tmp_path: Path) -> None:
    accelerate(decoder(**SIZES[name]), tmp_path, channels=6, lanes=3, chunk=4).check(LONG, CHUNKS)
