"""GPT-2 medium: the unmodified transformers class with the published sizes."""

from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel


def model() -> nn.Module:
    """The architecture; sizes as in the config.json of openai-community/gpt2-medium."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=50257,
            n_positions=1024,
            n_embd=1024,
            n_layer=24,
            n_head=16,
            activation_function="gelu_new",
            layer_norm_epsilon=1e-5,
            tie_word_embeddings=True,
        )
    )
