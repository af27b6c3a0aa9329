"""Llama-2-7B: the unmodified transformers class with the published sizes."""

from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM


def model() -> nn.Module:
    """The architecture; transformers' default LlamaConfig is Llama-2-7B, written out here."""
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=4096,
            intermediate_size=11008,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=32,
            vocab_size=32000,
            max_position_embeddings=4096,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            rms_norm_eps=1e-5,
            tie_word_embeddings=False,
        )
    )
