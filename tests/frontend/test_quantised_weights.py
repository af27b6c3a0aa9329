"""Folders that AWQ and GPTQ quantised: a public unpacker's numbers, without rounding; what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.weights import index_of
from stbuild.ir.graph import Graph
from tests.quantised_folders import AWQ, GPTQ, Packing, Tensors, packed_tensors, public_floats, write_folder

SIZES: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 256, "intermediate_size": 384, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
    "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
}  # fmt: skip
MODELS: dict[str, Callable[[], nn.Module]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True)),
}
V2 = {**GPTQ, "checkpoint_format": "gptq_v2"}
PACKINGS = {
    "awq": Packing(config=AWQ), "awq_32": Packing(config=AWQ, group=32), "gptq": Packing(config=GPTQ),
    "gptq_v2_64": Packing(config=V2, group=64),
    "gptq_row": Packing(config={**GPTQ, "desc_act": True}, group=-1),
    "gptq_256": Packing(config=GPTQ, group=256),
}  # fmt: skip
Q_PROJ = "model.layers.0.self_attn.q_proj"


def graph_of(model: nn.Module) -> Graph:
    return decode_graph(model, name="tiny", context=32).graph


@pytest.fixture(scope="module")
def llama() -> tuple[nn.Module, Graph]:
    model = MODELS["llama"]()
    return model, graph_of(model)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS)
def test_every_weight_is_that_of_a_public_unpacker(tmp_path: Path, kind: str, packing: Packing) -> None:
    """No number is rounded: `d (q - z)` in float64 is a float32, and what is packed stands for it."""
    model = MODELS[kind]()
    write_folder(tmp_path, model, packing)
    graph = graph_of(model)
    weights, expected = open_weights(tmp_path, graph), public_floats(tmp_path, packing)
    assert set(weights.names()) == set(expected)
    for name in weights.names():
        np.testing.assert_array_equal(weights.array(name), expected[name].numpy(), err_msg=name)
    forms = index_of(graph, weights).formats
    assert forms[f"{Q_PROJ}.weight"].form.zero_points and forms[f"{Q_PROJ}.weight"].bits == 4
    assert forms[f"{Q_PROJ}.weight"].group == min(packing.group % 512, 128)
    head = "model.embed_tokens.weight" if kind == "qwen2" else "lm_head.weight"
    assert (forms[head].bits, forms[head].group, forms[head].zero_points) == (8, 32, False)
    np.testing.assert_array_equal(weights.rows(f"{Q_PROJ}.weight", 3, 7), expected[f"{Q_PROJ}.weight"][3:7])


def test_conv1d_layers_are_stored_like_linear_ones(tmp_path: Path) -> None:
    """AutoGPTQ's GPT-2: the model has the transposed matrix."""
    config = GPT2Config(vocab_size=96, n_embd=128, n_head=2, n_layer=1, n_positions=64, bos_token_id=None,
                        eos_token_id=None)  # fmt: skip
    model = GPT2LMHeadModel(config)
    packing, random = Packing(config=GPTQ), torch.Generator().manual_seed(1)
    tensors = {n: p.detach().half() for n, p in model.named_parameters()}
    for name in [n.removesuffix(".weight") for n in tensors if ".c_" in n and n.endswith(".weight")]:
        columns, rows = tensors.pop(f"{name}.weight").shape
        tensors.update(packed_tensors(name, columns, rows, packing, random))
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": packing.stated}))
    weights, expected = open_weights(tmp_path, graph_of(model)), public_floats(tmp_path, packing)
    name = "transformer.h.0.mlp.c_fc.weight"
    np.testing.assert_array_equal(weights.matrix(name).dequantise(), expected[name].numpy())
    np.testing.assert_array_equal(weights.array(name), expected[name].T.numpy())


def test_symmetric_weights(tmp_path: Path, llama: tuple[nn.Module, Graph]) -> None:
    model, graph = llama
    packing = Packing(config={**GPTQ, "sym": True})
    change(tmp_path, write_folder(tmp_path, model, packing), zeros_of(0x77777777))
    assert set(open_weights(tmp_path, graph).matrix(f"{Q_PROJ}.weight").m.reshape(-1).tolist()) == {8}
    change(tmp_path, load_file(tmp_path / "model.safetensors"), zeros_of(-0x77777778))
    with pytest.raises(
        StbuildError, match=r"q_proj.qzeros' has a zero point of 9; config.json says 8 .* 'gptq_v2'"
    ):
        open_weights(tmp_path, graph).matrix(f"{Q_PROJ}.weight")


def test_a_matrix_that_is_not_quantised_has_eight_bits(
    tmp_path: Path, llama: tuple[nn.Module, Graph]
) -> None:
    model, graph = llama
    tensors = write_folder(tmp_path, model, Packing(config=AWQ))
    for layer in range(2):
        name = f"model.layers.{layer}.mlp.down_proj"
        for part in ("qweight", "qzeros", "scales"):
            del tensors[f"{name}.{part}"]
        tensors[f"{name}.weight"] = model.get_parameter(f"{name}.weight").detach().half()
    save_file(tensors, tmp_path / "model.safetensors")
    form = index_of(graph, open_weights(tmp_path, graph)).formats["model.layers.1.mlp.down_proj.weight"].form
    assert (form.bits, form.group, form.zero_points) == (8, 32, False)


def test_biases_of_zeros_are_no_part_of_the_model(tmp_path: Path, llama: tuple[nn.Module, Graph]) -> None:
    model, graph = llama
    tensors = write_folder(tmp_path, model, Packing(config=GPTQ))
    change(tmp_path, tensors, lambda t: {**t, f"{Q_PROJ}.bias": torch.zeros(256).half()})
    assert f"{Q_PROJ}.bias" not in open_weights(tmp_path, graph).names()
    change(tmp_path, tensors, lambda t: {**t, f"{Q_PROJ}.bias": torch.ones(256).half()})
    with pytest.raises(
        StbuildError, match=r"a tensor .model.layers.0.self_attn.q_proj.bias' that the model does"
    ):
        open_weights(tmp_path, graph)


Change = Callable[[Tensors], Tensors]


def change(folder: Path, tensors: Tensors, how: Change) -> None:
    save_file(how(tensors), folder / "model.safetensors")


def zeros_of(word: int) -> Change:
    return lambda t: {n: torch.full_like(v, word) if n.endswith("qzeros") else v for n, v in t.items()}


def part(name: str, value: Callable[[torch.Tensor], torch.Tensor]) -> Change:
    return lambda t: {**t, f"{Q_PROJ}.{name}": value(t[f"{Q_PROJ}.{name}"])}


def without(name: str) -> Change:
    return lambda t: {n: v for n, v in t.items() if n != f"{Q_PROJ}.{name}"}


SHAPES: dict[str, tuple[Change, str]] = {
    "act-order": (
        part("g_idx", lambda g: g.flip(0)),
        r"q_proj.g_idx' gives the columns .* \(act-order\), which is",
    ),
    "one column": (
        part("g_idx", lambda g: torch.cat((g[1:], g[:1]))),
        r"\(act-order\), which is not supported",
    ),
    "no zeros": (without("qzeros"), "the weights lack the tensor '.*q_proj.qzeros'"),
    "group": (
        part("scales", lambda s: s[:1].clone()),
        r"scales' is \[1, 256\]; 4 bits .* 128 would be \[2, 256\]",
    ),
    "bits": (
        part("qweight", lambda q: q.repeat(2, 1)),
        r"scales' is \[2, 256\]; 4 bits .* would be \[4, 256\]",
    ),
    "no matrix": (part("qweight", lambda q: q.flatten()), r"qweight' is \[8192\], which is no matrix"),
}
VALUES: dict[str, tuple[Change, str]] = {
    "infinite": (part("scales", lambda s: s * float("inf")), "q_proj.scales' has values that are NaN or inf"),
    "float": (
        part("scales", lambda s: s.float() * 1.0001),
        "scales' has float32 scales that fp16 does not hold",
    ),
    "words": (part("qweight", lambda q: q.long()), "q_proj.qweight' holds int64 numbers, not int32 words"),
}


@pytest.mark.parametrize(("how", "sentence"), SHAPES.values(), ids=SHAPES)
def test_a_damaged_or_ordered_matrix_is_refused(
    tmp_path: Path, llama: tuple[nn.Module, Graph], how: Change, sentence: str
) -> None:
    model, graph = llama
    change(tmp_path, write_folder(tmp_path, model, Packing(config=GPTQ)), how)
    with pytest.raises(StbuildError, match=sentence):
        open_weights(tmp_path, graph)


@pytest.mark.parametrize(("how", "sentence"), VALUES.values(), ids=VALUES)
def test_wrong_numbers_are_refused_when_they_are_read(
    tmp_path: Path, llama: tuple[nn.Module, Graph], how: Change, sentence: str
) -> None:
    model, graph = llama
    change(tmp_path, write_folder(tmp_path, model, Packing(config=GPTQ)), how)
    with pytest.raises(StbuildError, match=sentence):
        open_weights(tmp_path, graph).matrix(f"{Q_PROJ}.weight")


def test_scales_in_other_formats_that_fp16_holds(tmp_path: Path, llama: tuple[nn.Module, Graph]) -> None:
    model, graph = llama
    tensors = write_folder(tmp_path, model, Packing(config=AWQ))
    weight = open_weights(tmp_path, graph).matrix(f"{Q_PROJ}.weight")
    change(tmp_path, tensors, part("scales", lambda s: s.float()))
    np.testing.assert_array_equal(open_weights(tmp_path, graph).matrix(f"{Q_PROJ}.weight").d, weight.d)


def test_another_shape_than_the_model_is_refused(tmp_path: Path, llama: tuple[nn.Module, Graph]) -> None:
    wide = LlamaForCausalLM(LlamaConfig(**{**SIZES, "intermediate_size": 512}))
    write_folder(tmp_path, wide, Packing(config=GPTQ))
    with pytest.raises(
        StbuildError, match=r"mlp.gate_proj.weight' is \[512, 256\], the model needs \[384, 256\]"
    ):
        open_weights(tmp_path, llama[1])
