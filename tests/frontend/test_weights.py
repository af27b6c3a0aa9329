"""Weights: what is read is what was written, and each kind of damage has its sentence."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.gguf_file import GgufFile
from stbuild.frontend.gguf_weights import GgufWeights
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.weights import Checkpoint, index_of, uses_of
from stbuild.ir.graph import Graph
from tests.models import tiny_llama


@pytest.fixture(scope="module")
def graph() -> Graph:
    return decode_graph(tiny_llama(), name="tiny", context=32).graph


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return {n: p.detach().contiguous() for n, p in tiny_llama().named_parameters()}


def test_a_sharded_folder_is_read_tensor_by_tensor(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]
) -> None:
    names = sorted(state)
    places = {n: f"model-{i % 2}.safetensors" for i, n in enumerate(names)}
    for file in set(places.values()):
        save_file({n: state[n].to(torch.bfloat16) for n in names if places[n] == file}, tmp_path / file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    weights = open_weights(tmp_path, graph)
    assert weights.names() == tuple(names)
    array = weights.array("model.embed_tokens.weight")
    np.testing.assert_array_equal(
        array, state["model.embed_tokens.weight"].to(torch.bfloat16).float().numpy()
    )
    np.testing.assert_array_equal(weights.rows("model.embed_tokens.weight", 3, 5), array[3:5])
    assert index_of(graph, weights).formats["lm_head.weight"].bits == 8


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model.norm.weight": None}, r"the weights lack the tensor 'model.norm.weight' \[64\]"),
        ({"model.norm.weight": torch.ones(32)}, r"'model.norm.weight' is \[32\], the model needs \[64\]"),
        ({"more": torch.ones(2)}, "the weights have a tensor 'more' that the model does not"),
        ({"h.0.attn.bias": torch.ones(64)}, r"a tensor 'h\.0\.attn\.bias' that the model does not"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    tmp_path: Path,
    graph: Graph,
    state: dict[str, torch.Tensor],
    change: dict[str, torch.Tensor | None],
    sentence: str,
) -> None:
    changed = {n: t for n, t in {**state, **change}.items() if t is not None}
    save_file(changed, tmp_path / "model.safetensors")
    with pytest.raises(StbuildError, match=sentence):
        open_weights(tmp_path, graph)


def test_names_without_the_model_s_first_part_are_found(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]
) -> None:
    """As in the checkpoints of GPT-2, which were saved without the head's class around them."""
    save_file({n.removeprefix("model."): t for n, t in state.items()}, tmp_path / "model.safetensors")
    weights = open_weights(tmp_path, graph)
    name = "model.layers.1.mlp.up_proj.weight"
    np.testing.assert_array_equal(weights.array(name), state[name].numpy())


def test_a_truncated_safetensors_file_says_so(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StbuildError, match="the safetensors file is truncated or damaged"):
        open_weights(path, graph)


@pytest.mark.parametrize(
    ("kind", "told"),
    [(torch.int8, "I8"), (torch.uint8, "U8"), (torch.int32, "I32"), (torch.float8_e4m3fn, "F8_E4M3")],
)
def test_numbers_that_need_scales_are_not_read_as_floats(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor], kind: torch.dtype, told: str
) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    save_file({**state, name: (state[name] * 100).to(kind)}, tmp_path / "model.safetensors")
    with pytest.raises(StbuildError, match=f"the tensor '{name}' holds {told} numbers, which are no weights"):
        open_weights(tmp_path, graph)


def test_integers_in_a_gguf_are_not_read_as_floats(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]
) -> None:
    write_gguf(tmp_path / "x.gguf", {**state, "model.norm.weight": torch.ones(64, dtype=torch.int32)})
    with pytest.raises(
        StbuildError, match=r"the tensor 'output_norm.weight' is in the format I32, which cannot"
    ):
        open_weights(tmp_path / "x.gguf", graph)


@pytest.mark.parametrize("name", ["model.norm.weight", "model.embed_tokens.weight", "lm_head.weight"])
@pytest.mark.parametrize("form", ["safetensors", "gguf"])
def test_a_tensor_that_is_not_finite_is_named(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor], name: str, form: str
) -> None:
    broken = state[name].clone()
    broken.view(-1)[0] = torch.inf
    path = tmp_path / f"tiny.{form}"
    write = write_gguf if form == "gguf" else write_safetensors
    with np.errstate(invalid="ignore"):
        write(path, {**state, name: broken})
    weights = open_weights(path, graph)
    sentence = f"the tensor '{name}' has values that are NaN or infinite"
    for read in (weights.array, lambda n: weights.rows(n, 0, 1)):
        with np.errstate(invalid="ignore"), pytest.raises(StbuildError, match=sentence):
            read(name)
    if name == "lm_head.weight":
        with pytest.raises(StbuildError, match=sentence):
            weights.matrix(name)


def write_safetensors(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Write all tensors into one file."""
    save_file(state, path)


def write_gguf(
    path: Path, state: dict[str, torch.Tensor], *, blocks: int = 2, heads: int = 4, kv_heads: int = 2,
    architecture: str = "llama", interleaved: bool = True,
) -> None:  # fmt: skip
    """The tiny Llama as llama.cpp keeps it: rows of q and k `interleaved`, matrices in Q4_1.

    Other counts than those of `tiny_llama` stand only in the metadata.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(blocks)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    kinds = {name: kind for kind, name in gguf.MODEL_ARCH_NAMES.items()}
    table = gguf.get_tensor_name_map(kinds[architecture], 2)
    for name, tensor in state.items():
        data = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        for kind, true_heads in (("q_proj", 4), ("k_proj", 2)):
            if kind in name and interleaved:
                pairs = data.reshape(true_heads, 2, data.shape[0] // true_heads // 2, data.shape[1])
                data = np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(data.shape)
        kind4 = gguf.GGMLQuantizationType.Q4_1
        packed = gguf.quants.quantize(data, kind4) if data.ndim == 2 else data
        there = table.get_name(name, try_suffixes=(".weight",))
        assert there is not None
        writer.add_tensor(there, packed, raw_dtype=kind4 if data.ndim == 2 else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_gguf_blocks_are_kept_and_rows_put_in_order(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]
) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path, state)
    weights = open_weights(path, graph)
    for name in ("model.layers.1.self_attn.q_proj.weight", "model.layers.0.mlp.down_proj.weight"):
        matrix = weights.matrix(name)
        assert (matrix.bits, matrix.group) == (4, 32)
        np.testing.assert_allclose(matrix.dequantise(), weights.array(name), atol=1e-7)
        assert np.abs(matrix.dequantise() - state[name].numpy()).max() < 0.01


@pytest.mark.parametrize(
    ("architecture", "interleaved", "neighbours"),
    [
        ("llama", True, False),
        ("granite", True, False),
        ("smollm3", True, False),
        ("ernie4_5", False, True),
        ("qwen2", False, False),
    ],
)
def test_rows_of_q_and_k_come_in_the_model_s_order(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor], architecture: str, interleaved: bool,
    neighbours: bool,
) -> None:  # fmt: skip
    """They are stored for llama.cpp's rotary embedding; a model that rotates neighbours has them so too."""
    write_gguf(tmp_path / "x.gguf", state, architecture=architecture, interleaved=interleaved)
    uses = replace(uses_of(graph), neighbours=neighbours)
    weights = GgufWeights.of(GgufFile.open(tmp_path / "x.gguf"), uses)
    for name in ("model.layers.1.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight"):
        assert np.abs(weights.array(name) - state[name].numpy()).max() < 0.01


def test_a_truncated_gguf_says_so(tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path, state)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(StbuildError, match="the GGUF file is truncated or damaged"):
        open_weights(path, graph)
    path.write_bytes(b"not a model")
    with pytest.raises(StbuildError, match="not a GGUF file"):
        open_weights(path, graph)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        (
            {"blocks": 2**31},
            r"llama.block_count is 2147483648, the model in model.layers.\*.self_attn has 2 layers",
        ),
        ({"blocks": 0}, "llama.block_count is 0, the model in"),
        (
            {"heads": 0},
            r"llama.attention.head_count is 0, the model in model.layers.\*.self_attn has 4 attention heads",
        ),
        (
            {"kv_heads": 5},
            r"llama.attention.head_count_kv is 5, the model in model.layers.\*.self_attn has 2 heads of",
        ),
        ({"heads": 7}, "llama.attention.head_count is 7, the model in"),
    ],
)
def test_counts_of_a_gguf_that_cannot_be_are_told(
    tmp_path: Path,
    graph: Graph,
    state: dict[str, torch.Tensor],
    counts: dict[str, Any],
    sentence: str,
) -> None:
    write_gguf(tmp_path / "tiny.gguf", state, **counts)
    with pytest.raises(StbuildError, match=sentence):
        read_all(open_weights(tmp_path / "tiny.gguf", graph), graph)


def test_damage_anywhere_in_a_gguf_s_head_is_told(
    tmp_path: Path, graph: Graph, state: dict[str, torch.Tensor]
) -> None:
    """Nothing but a StbuildError comes out of a file with one byte changed; most changes are noticed."""
    write_gguf(tmp_path / "whole.gguf", state)
    whole = (tmp_path / "whole.gguf").read_bytes()
    head = whole.find(b"output_norm") + 64
    random, told = np.random.default_rng(1), 0
    for number, at in enumerate(random.integers(4, head, 150)):
        damaged = tmp_path / f"{number}.gguf"
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ int(random.integers(1, 256))]) + whole[at + 1 :])
        try:
            read_all(open_weights(damaged, graph), graph)
        except StbuildError:
            told += 1
    assert told > 75


def read_all(weights: Checkpoint, graph: Graph) -> None:
    """Read every linear op's matrix."""
    for name in uses_of(graph).matrices:
        weights.matrix(name)


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        ({"weight_map": {"x": "../x.safetensors"}}, "names '../x.safetensors', which is not a file in"),
        ({"weight_map": {"x": "/x.safetensors"}}, "names '/x.safetensors', which is not a file in"),
        ({"weight_map": ["x"]}, "not an index of safetensors files"),
        ({"weight_map": {"x": 3}}, "not an index of safetensors files"),
        ([], "not an index of safetensors files"),
    ],
)
def test_an_index_names_files_of_its_own_folder(
    tmp_path: Path, graph: Graph, index: object, sentence: str
) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(StbuildError, match=sentence):
        open_weights(tmp_path, graph)
