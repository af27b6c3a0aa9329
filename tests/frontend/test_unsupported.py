"""Mixtures of experts, recurrent and encoder-decoder models, AWQ and GPTQ are refused by a sentence."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.meta_parameters import parameters_on_meta
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.unsupported import refuse_model
from stbuild.ir.graph import Graph
from tests.models import tiny_llama

SIZES: dict[str, Any] = {
    "vocab_size": 64, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip
EXPERTS = {**SIZES, "num_local_experts": 2, "num_experts": 2, "num_experts_per_tok": 1}
T5 = {"vocab_size": 64, "d_model": 64, "num_layers": 2, "num_heads": 4, "pad_token_id": 0}
BART = {"vocab_size": 64, "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "pad_token_id": 0}
MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "MixtralForCausalLM": ("MixtralConfig", EXPERTS, "a mixture of experts (MixtralSparseMoeBlock in model"),
    "Qwen3MoeForCausalLM": ("Qwen3MoeConfig", EXPERTS, "a mixture of experts (Qwen3MoeSparseMoeBlock in"),
    "GptOssForCausalLM": ("GptOssConfig", {**EXPERTS, "head_dim": 16}, "a mixture of experts (GptOss"),
    "MambaForCausalLM": ("MambaConfig", {"vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 1},
                         "a state-space or recurrent model (Mamba"),
    "RwkvForCausalLM": ("RwkvConfig", {"vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 2},
                        "a state-space or recurrent model (Rwkv"),
    "T5ForConditionalGeneration": ("T5Config", T5, "an encoder-decoder model"),
    "BartForConditionalGeneration": ("BartConfig", BART, "an encoder-decoder model"),
}  # fmt: skip

AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
FOLDERS: dict[str, tuple[dict[str, Any], str]] = {
    "method": ({"quant_method": "bitsandbytes"}, "the weights are quantised by 'bitsandbytes', which is not"),
    "no method": ({}, "the weights are quantised by 'unknown', which is not supported"),
    "bits": ({**GPTQ, "bits": 8}, "GPTQ has 8 bits; stbuild takes 4"),
    "group": (
        {**AWQ, "group_size": 16},
        "AWQ has groups of 16 columns; stbuild takes multiples of 32, and -1",
    ),
    "no group": ({**AWQ, "group_size": None}, "AWQ has groups of None columns; stbuild takes"),
    "version": (
        {**AWQ, "version": "gemv"},
        "AWQ packed the weights for its 'gemv' kernels; stbuild reads 'gemm'",
    ),
    "symmetric": ({**AWQ, "zero_point": False}, "AWQ stored no zero points, which is not supported"),
    "order": (
        {**GPTQ, "desc_act": True},
        "GPTQ ordered the columns by their activations (desc_act), which is",
    ),
    "format": (
        {**GPTQ, "checkpoint_format": "bitblas"},
        "GPTQ stored the weights in the format 'bitblas'; stbuild",
    ),
    "marlin": ({**GPTQ, "is_marlin_format": True}, "GPTQ stored the weights in the format 'marlin'; stbuild"),
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    return decode_graph(tiny_llama(), name="tiny", context=32).graph


@pytest.mark.parametrize("name", MODELS)
def test_a_kind_of_model_is_refused_before_it_is_traced(name: str) -> None:
    config, sizes, sentence = MODELS[name]
    with parameters_on_meta():
        model = getattr(transformers, name)(getattr(transformers, config)(**sizes))
    with pytest.raises(StbuildError, match=re.escape(f"{name} is {sentence}")):
        refuse_model(model)


def test_tracing_refuses_it() -> None:
    model = tiny_llama()
    model.config.is_encoder_decoder = True
    with pytest.raises(StbuildError, match="LlamaForCausalLM is an encoder-decoder model"):
        decode_graph(model, name="tiny", context=32)


def test_a_dense_layer_of_a_family_with_experts_is_no_expert() -> None:
    class LinearMoeNorm(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    model = tiny_llama()
    model.model.norm = LinearMoeNorm()
    refuse_model(model)


@pytest.mark.parametrize(("config", "sentence"), FOLDERS.values(), ids=FOLDERS)
def test_a_quantised_folder_is_refused_by_its_configuration(
    tmp_path: Path, graph: Graph, config: dict[str, Any], sentence: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": config}))
    with pytest.raises(StbuildError, match=rf"config.json says that {re.escape(sentence)}"):
        open_weights(tmp_path, graph)


def test_a_folder_of_floats_that_says_it_is_quantised(tmp_path: Path, graph: Graph) -> None:
    tiny_llama().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "quantization_config": AWQ}))
    with pytest.raises(StbuildError, match=r"config.json says AWQ, but no tensor ends with '.qweight'"):
        open_weights(tmp_path, graph)


@pytest.mark.parametrize(("method", "more"), [("AWQ", ()), ("GPTQ", ("g_idx",))])
def test_a_quantised_file_is_refused_by_its_tensors(
    tmp_path: Path, graph: Graph, method: str, more: tuple[str]
) -> None:
    parts = ("qweight", "qzeros", "scales", *more)
    tensors = {f"model.layers.0.self_attn.q_proj.{p}": torch.zeros(8, 8) for p in parts}
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(StbuildError, match=rf"q_proj.qweight' is one of weights that {method} .* no config"):
        open_weights(tmp_path / "model.safetensors", graph)


def test_a_model_configured_for_quantised_weights_is_refused() -> None:
    model = tiny_llama()
    model.config.quantization_config = {"quant_method": "gptq", "bits": 3}
    with pytest.raises(StbuildError, match=r"the configuration of LlamaForCausalLM says .* GPTQ has 3 bits"):
        refuse_model(model)


def test_a_configuration_object_of_transformers_is_read() -> None:
    model = tiny_llama()
    model.config.quantization_config = transformers.GPTQConfig(bits=4, desc_act=True)
    with pytest.raises(StbuildError, match=r"GPTQ ordered the columns by their activations \(desc_act\)"):
        refuse_model(model)
    model.config.quantization_config = transformers.AwqConfig(bits=4, group_size=64)
    refuse_model(model)


def test_a_module_of_packed_layers_is_refused() -> None:
    model = tiny_llama()
    model.model.layers[1].mlp.up_proj.register_buffer("qweight", torch.zeros(8, 8))
    with pytest.raises(StbuildError, match=r"packed weights \(model.layers.1.mlp.up_proj.qweight\) in place"):
        refuse_model(model)
