"""Unmodified Hugging Face classes of several families compute what their graphs compute."""

from typing import Any

import pytest
import torch
import transformers

from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from stbuild.reference.floats import FloatReference
from tests.frontend.test_lowering import Rounded

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip
GPT2 = {"vocab_size": 64, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64}
NEOX = {**SIZES, "hidden_size": 128, "num_attention_heads": 2, "rotary_pct": 0.25}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "Llama": ("LlamaConfig", SIZES),
    "Qwen2": ("Qwen2Config", SIZES),
    "Qwen3": ("Qwen3Config", {**SIZES, "head_dim": 16}),
    "Mistral": ("MistralConfig", {**SIZES, "head_dim": 16}),
    "Gemma": ("GemmaConfig", {**SIZES, "head_dim": 16}),
    "Gemma3": ("Gemma3TextConfig", {**SIZES, "head_dim": 16, "sliding_window": 512}),
    "Phi3": ("Phi3Config", SIZES),
    "GPT2LMHead": ("GPT2Config", GPT2),
    "GPTNeoX": ("GPTNeoXConfig", NEOX),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_computes_what_the_class_computes(family: str) -> None:
    config_class, sizes = FAMILIES[family]
    suffix = "Model" if family.endswith("Head") else "ForCausalLM"
    torch.manual_seed(0)
    model: Any = getattr(transformers, family + suffix)(getattr(transformers, config_class)(**sizes))
    model.train(False)
    traced = decode_graph(model, name="tiny", context=32)
    flat = prefill_ops(model, context=32)
    check_prefill(traced.graph, flat.ops, flat.logits)
    tokens = [3, 1, 4, 1, 5, 9, 2, 6]
    weights = Rounded(model)
    for block in traced.graph.blocks:
        for op in block.ops:
            turned = getattr(op, "weight", None)
            for name in turned.names if turned is not None and turned.transposed else ():
                weights.state[name] = weights.state[name].T
    ours = FloatReference(graph=traced.graph, weights=weights, tables=traced.tables).run(tokens)
    with torch.no_grad():
        theirs = model(input_ids=torch.tensor([tokens])).logits[0]
    assert torch.allclose(ours, theirs, rtol=0.02, atol=0.02)
