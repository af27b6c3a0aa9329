"""Unmodified Hugging Face classes of several families compute what their graphs compute."""

from typing import Any

import pytest
import torch
import transformers
from torch.nn.functional import cosine_similarity

from stbuild.errors import StbuildError
from stbuild.frontend.float_weights import ModuleWeights
from stbuild.frontend.model_graph import ModelGraph, check_prefill, decode_graph, prefill_ops
from stbuild.frontend.weights import uses_of
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.floats import FloatReference
from stbuild.reference.interpreter import Reference
from tests.floats import float_check
from tests.frontend.test_lowering import Rounded

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip
TOKENS = (3, 1, 4, 1, 5, 9, 2, 6, 53, 58, 9, 7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 9, 50)
GPT2 = {"vocab_size": 64, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64}
GPTJ = {**GPT2, "rotary_dim": 16}
HEADS = {**SIZES, "head_dim": 16}
NEOX = {**SIZES, "hidden_size": 128, "num_attention_heads": 2, "rotary_pct": 0.25}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("LlamaConfig", SIZES),
    "Qwen2": ("Qwen2Config", SIZES),
    "Qwen3": ("Qwen3Config", HEADS),
    "Mistral": ("MistralConfig", HEADS),
    "Gemma": ("GemmaConfig", HEADS),
    "Gemma3": ("Gemma3TextConfig", {**HEADS, "sliding_window": 512}),
    "Phi3": ("Phi3Config", SIZES),
    "GPT2LMHead": ("GPT2Config", GPT2),
    "GPTNeoX": ("GPTNeoXConfig", NEOX),
    "GPTJ": ("GPTJConfig", GPTJ),
    "CodeGen": ("CodeGenConfig", GPTJ),
    "Cohere": ("CohereConfig", SIZES),
    "Glm": ("GlmConfig", HEADS),
    "Granite": ("GraniteConfig", {**SIZES, "residual_multiplier": 0.4, "attention_multiplier": 0.2,
                                  "embedding_multiplier": 3.0, "logits_scaling": 2.0}),
    "Nemotron": ("NemotronConfig", HEADS),
    "Olmo2": ("Olmo2Config", SIZES),
    "SmolLM3": ("SmolLM3Config", SIZES),
}  # fmt: skip
ROPES: dict[str, dict[str, Any]] = {
    "linear": {"factor": 4.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 16},
    "llama3": {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 16},
}  # fmt: skip
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "Gemma2": ("Gemma2Config", {**HEADS, "sliding_window": 512}, r"attention scores go through 'tanh'"),
    "Mistral": ("MistralConfig", {**HEADS, "sliding_window": 8}, r"does not look at just the positions 0 to"),
    "Bloom": ("BloomConfig", {"vocab_size": 64, "hidden_size": 64, "n_layer": 2, "n_head": 4},
              r"adds numbers to scores that it does not hide"),
    "Llama": ("LlamaConfig", {**SIZES, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4,
                                                         "factor": 4.0}},
              r"LlamaForCausalLM cannot be called with 1 token: it reads the value of a tensor"),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_computes_what_the_class_computes(family: str) -> None:
    config_class, sizes = FAMILIES[family]
    model = _model(family, config_class, sizes)
    traced = decode_graph(model, name="tiny", context=32)
    flat = prefill_ops(model, context=32)
    check_prefill(traced.graph, flat.ops, flat.logits)
    weights = Rounded(model)
    for block in traced.graph.blocks:
        for op in block.ops:
            turned = getattr(op, "weight", None)
            for name in turned.names if turned is not None and turned.transposed else ():
                weights.state[name] = weights.state[name].T
    ours = FloatReference(graph=traced.graph, weights=weights, tables=traced.tables).run(TOKENS)
    theirs = _logits(model)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    float_check(model, traced)
    _check_near(model, traced)


@pytest.mark.parametrize("kind", ROPES)
def test_scaled_rotary_embeddings_are_tabulated(kind: str) -> None:
    rope = {"rope_type": kind, "rope_theta": 1e4, **ROPES[kind]}
    model = _model("Llama", "LlamaConfig", {**SIZES, "rope_parameters": rope})
    _check_near(model, decode_graph(model, name="tiny", context=32))


@pytest.mark.parametrize("family", REFUSED)
def test_what_the_arithmetic_has_not_is_refused(family: str) -> None:
    config_class, sizes, sentence = REFUSED[family]
    model = _model(family, config_class, sizes)
    with pytest.raises(StbuildError, match=sentence):
        decode_graph(model, name="tiny", context=32)


def _model(family: str, config_class: str, sizes: dict[str, Any]) -> Any:
    """The class of a family with random weights that make its logits differ."""
    suffix = "Model" if family.endswith("Head") else "ForCausalLM"
    torch.manual_seed(0)
    model: Any = getattr(transformers, family + suffix)(getattr(transformers, config_class)(**sizes))
    model.train(False).requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
        elif parameter.ndim == 1:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def _check_near(model: Any, traced: ModelGraph) -> None:
    """The reference's logits point where those of the class do, once its matrices are rounded alike."""
    graph = FixNumerics()(traced.graph)
    weights = ModuleWeights.of(model, uses_of(graph, 32))
    ours = Reference(graph=graph, weights=weights, tables=traced.tables).run(TOKENS, all_logits=True).logits
    rounded = {n: torch.from_numpy(weights.matrix(n).dequantise()) for n in weights.uses.matrices}
    parameters = dict(model.named_parameters())
    for name, matrix in rounded.items():
        parameters[name].copy_(matrix.T if weights.uses.matrices[name].transposed else matrix)
    theirs = _logits(model).double()
    scaled = ours.double() / 65536
    assert cosine_similarity(scaled, theirs, dim=1).min() > 0.99
    assert (scaled - theirs).abs().max() < 0.25 * theirs.std()


def _logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([TOKENS])).logits[0]
    return logits
