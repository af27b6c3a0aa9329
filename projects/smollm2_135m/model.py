"""SmolLM2-135M-Instruct: the unmodified transformers class with the published sizes."""

from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM


def model() -> nn.Module:
    """The architecture; sizes as in the GGUF's metadata and the model's config.json."""
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=576,
            intermediate_size=1536,
            num_hidden_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            vocab_size=49152,
            max_position_embeddings=8192,
            rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
        )
    )
