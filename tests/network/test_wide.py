"""Models that are wide enough for their FIFOs to matter, at the sizes that the compiler chooses itself."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, Phi3Config, Phi3ForCausalLM

from tests.accelerator import accelerate
from tests.models import Decoder, DecoderShape

CONTEXT = 64


def gpt2(width: int, heads: int) -> nn.Module:
    config = GPT2Config(vocab_size=96, n_positions=64, n_embd=width, n_layer=2, n_head=heads)
    return GPT2LMHeadModel(config)


def phi3() -> nn.Module:
    return Phi3ForCausalLM(
        Phi3Config(
            vocab_size=96, hidden_size=256, intermediate_size=512, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=64, pad_token_id=0,
        )
    )  # fmt: skip


def many_heads() -> nn.Module:
    return Decoder(DecoderShape(width=256, heads=16, kv_heads=16, head_dim=16, layers=2))


def value_embeddings(kind: str) -> nn.Module:
    return Decoder(DecoderShape(layers=3, value_embedding=kind))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "gpt2_256": lambda: gpt2(256, 4),
    "gpt2_768": lambda: gpt2(768, 12),
    "phi3_256": phi3,
    "16_heads": many_heads,
    "own_value_embeddings": lambda: value_embeddings("own"),
    "shared_value_embedding": lambda: value_embeddings("shared"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_card_does_not_hang_and_equals_its_reference(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    card = accelerate(MODELS[name]().eval(), tmp_path, context=CONTEXT)
    card.check(tuple(range(1, 52)), (8, 1, 8, 8, 6, 8, 4, 8))
