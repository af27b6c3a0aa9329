"""Whatever the model's blocks are made of, the C++ that follows from its graph gives the reference's bits."""

from pathlib import Path
from typing import Any

import pytest

from tests.accelerator import LONG, accelerate
from tests.models import decoder, tiny_llama

TOKENS = (3, 5, 7, 9, 11, 2, 1, 4, 60, 33, 21, 8, 40)
CHUNKS = (4, 4, 1, 3, 1, *(4,) * 14, 2)
VARIANTS: dict[str, dict[str, Any]] = {
    "qk_norm_gelu": {"qk_norm": True, "activation": "gelu"},
    "layer_norm_bias_no_rotary": {"norm": "layer", "bias": True, "rotary_dim": 0, "gated": False},
    "second_ffn_no_gqa_post_norm": {"second_ffn": True, "kv_heads": 4, "post_norm": True},
    "parallel_partial_rotary_softcap": {"parallel": True, "rotary_dim": 8, "softcap": 30.0, "norm": "rms1"},
    "odd_vocabulary_softcap": {"vocab_size": 61, "softcap": 20.0, "tied": True},
    "matmul_attention_embedding_in_every_layer": {"attention": "matmul", "first_again": True},
    "interleaved_partial_rotary": {"rotary_form": "rotate_every_two", "rotary_dim": 8},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_changed_block_is_bit_exact(name: str, tmp_path: Path) -> None:
    card = accelerate(decoder(**VARIANTS[name]), tmp_path, channels=6, lanes=3, chunk=4)
    card.check(LONG, CHUNKS)


@pytest.mark.parametrize("card", ["u280", "vck5000"])
def test_other_cards_give_the_same_bits(card: str, tmp_path: Path) -> None:
    accelerate(tiny_llama(), tmp_path, card=card, context=72).check(LONG, (*(8,) * 8, 6, 1))


def test_the_strict_emulator_agrees(tmp_path: Path) -> None:
    card = accelerate(tiny_llama(), tmp_path, defines=("STB_STRICT=1",), channels=2, lanes=1, chunk=4)
    card.check(LONG, CHUNKS)
