"""Unmodified Hugging Face classes of many families, tiny, with random weights that are not neutral."""

from typing import Any

import torch
import transformers
from torch import Tensor, nn

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip
GPT2 = {"vocab_size": 64, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64}
GPTJ = {**GPT2, "rotary_dim": 16}
HEADS = {**SIZES, "head_dim": 16}
NEOX = {**SIZES, "hidden_size": 128, "num_attention_heads": 2, "rotary_pct": 0.25}
WINDOW = {**HEADS, "sliding_window": 5}
BLOOM = {"vocab_size": 64, "hidden_size": 96, "n_layer": 2, "n_head": 6}
MPT = {"vocab_size": 64, "d_model": 64, "n_layers": 2, "n_heads": 4, "max_seq_len": 64,
       "attn_config": {"clip_qkv": 0.9}}  # fmt: skip
FALCON = {"vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
          "bias": True}  # fmt: skip
OPT = {"vocab_size": 64, "hidden_size": 64, "ffn_dim": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
       "max_position_embeddings": 64, "word_embed_proj_dim": 64}  # fmt: skip
LONGROPE = {
    "rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 16, "factor": 4.0,
    "short_factor": [1.0] * 8, "long_factor": [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0],
}  # fmt: skip
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("LlamaConfig", SIZES),
    "Qwen2": ("Qwen2Config", SIZES),
    "Qwen3": ("Qwen3Config", HEADS),
    "Mistral": ("MistralConfig", WINDOW),
    "Gemma": ("GemmaConfig", HEADS),
    "Gemma2": ("Gemma2Config", {**WINDOW, "attn_logit_softcapping": 2.0}),
    "Gemma3": ("Gemma3TextConfig", {**WINDOW, "num_hidden_layers": 7}),
    "Phi3": ("Phi3Config", SIZES),
    "Phi3 longrope": ("Phi3Config", {**SIZES, "rope_parameters": LONGROPE,
                                     "original_max_position_embeddings": 16}),
    "GPT2LMHead": ("GPT2Config", GPT2),
    "GPTNeoX": ("GPTNeoXConfig", NEOX),
    "GPTJ": ("GPTJConfig", GPTJ),
    "CodeGen": ("CodeGenConfig", GPTJ),
    "Cohere": ("CohereConfig", SIZES),
    "Glm": ("GlmConfig", HEADS),
    "Granite": ("GraniteConfig", {**SIZES, "residual_multiplier": 0.4, "attention_multiplier": 0.2,
                                  "embedding_multiplier": 3.0, "logits_scaling": 2.0}),
    "Nemotron": ("NemotronConfig", HEADS),
    "Olmo clipped": ("OlmoConfig", {**SIZES, "clip_qkv": 1.3}),
    "Olmo2": ("Olmo2Config", SIZES),
    "Olmo3": ("Olmo3Config", {**WINDOW, "num_hidden_layers": 5}),
    "SmolLM3": ("SmolLM3Config", SIZES),
    "Exaone4": ("Exaone4Config", HEADS),
    "Bloom": ("BloomConfig", BLOOM),
    "Mpt": ("MptConfig", MPT),
    "Falcon": ("FalconConfig", FALCON),
    "Falcon alibi": ("FalconConfig", {**FALCON, "alibi": True, "parallel_attn": False, "multi_query": False}),
    "Falcon grouped": ("FalconConfig", {**FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "OPT": ("OPTConfig", OPT),
    "OPT post": ("OPTConfig", {**OPT, "do_layer_norm_before": False}),
    "GptOss dense": ("GptOssConfig", {**WINDOW, "num_local_experts": 2, "num_experts_per_tok": 1}),
}  # fmt: skip
"""Classes, each with what sets it apart, and their configurations."""
WIDTHS = {
    "hidden_size", "intermediate_size", "head_dim", "n_embd", "d_model", "ffn_dim", "word_embed_proj_dim"
}  # fmt: skip
"""Sizes that make a model wide."""


class GatedMlp(nn.Module):
    """What stands in the place of a mixture of experts: a dense network, and no router's scores."""

    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.up_proj = nn.Linear(width, 2 * ffn, bias=False)
        self.down_proj = nn.Linear(ffn, width, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        gate, up = self.up_proj(x).chunk(2, dim=-1)
        return self.down_proj(nn.functional.silu(gate) * up), None


def widened(sizes: dict[str, Any], factor: int) -> dict[str, Any]:
    """`sizes` of a model `factor` times as wide, with as many heads; rotary frequencies are repeated."""
    wide = {k: v * factor if k in WIDTHS else v for k, v in sizes.items()}
    rope = wide.get("rope_parameters", {})
    longer = {k: v * factor for k, v in rope.items() if isinstance(v, list)}
    return {**wide, "rope_parameters": {**rope, **longer}} if rope else wide


def family_model(family: str, factor: int = 1, **changes: Any) -> Any:
    """The class of `family`, `factor` times as wide, with random weights that make its logits differ."""
    config_class, narrow = FAMILIES[family]
    sizes = widened(narrow, factor)
    name = family.split()[0]
    suffix = "Model" if name.endswith("Head") else "ForCausalLM"
    torch.manual_seed(0)
    config = getattr(transformers, config_class)(**{**sizes, **changes})
    model: Any = getattr(transformers, name + suffix)(config)
    if family == "GptOss dense":
        for layer in model.model.layers:
            layer.mlp = GatedMlp(config.hidden_size, config.intermediate_size)
    model.train(False).requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
        elif parameter.ndim == 1:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model
