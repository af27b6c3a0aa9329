"""Padding: where zeros stand in values, parameters and tables, and which numbers stay as they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_graph import ModelGraph, decode_graph
from stbuild.frontend.padded_matrices import padded_and_rounded, padded_as_stored, without_columns
from stbuild.frontend.padding import padded_graph, padded_tables, rotated_places
from stbuild.ir.derived import Derived
from stbuild.ir.gaps import Gap, elements, spread
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.packed import MatrixForm, PackedMatrix
from stbuild.ir.param import Param, PositionTable
from stbuild.ops.attention import Attention
from stbuild.ops.concat import Concat
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary
from stbuild.ops.slice import Slice
from stbuild.passes.numerics import FixNumerics
from tests.models import tiny_llama
from tests.quantised_folders import AWQ, GPTQ, Packing, write_folder

CONTEXT = 32
HEADS_OF_8 = {"num_attention_heads": 8, "num_key_value_heads": 4, "intermediate_size": 172}
"""The heads of llama2.c's stories260K."""


def parameter(name: str, *shape: int) -> Param:
    return Param(names=(name,), shape=shape)


def graph_with(*ops: Op, width: int = 40, logits: int = 33) -> Graph:
    """An embedding, the ops, and a head that reads the last of them."""
    embed = Embed(name="x", width=width, table=parameter("e", logits, width))
    last = ops[-1] if ops else embed
    weight = parameter("head", logits, last.width)
    head = Linear(name="y", width=logits, x="h", weight=weight)
    blocks = (
        Block(name="body", count=1, inputs=(), outputs=(last.name,), ops=(embed, *ops)),
        Block(name="head", count=1, inputs=("h",), outputs=("y",), ops=(head,)),
    )
    return Graph(name="g", vocab_size=logits, context=CONTEXT, blocks=blocks)


def test_a_graph_of_whole_groups_stays_as_it_is() -> None:
    graph = graph_with(width=64)
    assert padded_graph(graph) is graph


def test_logits_are_of_any_number() -> None:
    padded = padded_graph(graph_with())
    head = padded.blocks[1].ops[0]
    assert head.width == 33 and isinstance(head, Linear) and head.weight.shape == (33, 64)
    assert padded.blocks[0].ops[0].width == 64


def test_parts_of_a_vector_begin_at_words_of_their_own() -> None:
    """Three slices of 20 out of 60, two of them joined again."""
    whole = Linear(name="w", width=60, x="x", weight=parameter("w", 60, 40))
    parts = [Slice(name=f"s{i}", width=20, x="w", start=20 * i) for i in range(3)]
    joined = Concat(name="j", width=40, parts=("s2", "s0"))
    ops = {op.name: op for op in padded_graph(graph_with(whole, *parts, joined)).blocks[0].ops}
    assert [op.start for op in ops.values() if isinstance(op, Slice)] == [0, 32, 64]
    assert (ops["w"].width, ops["s1"].width, ops["j"].width) == (96, 32, 64)
    FixNumerics()(padded_graph(graph_with(whole, *parts, joined)))


def test_what_a_function_makes_of_zeros_meets_no_group() -> None:
    """The sigmoid of 0 is 1/2: a product with ones and zeros stands in front of the matrix."""
    sigmoid = Map(name="m", width=40, x="x", function="sigmoid", samples=(0.5,) * 257)
    linear = Linear(name="l", width=40, x="m", weight=parameter("l", 40, 40))
    padded = padded_graph(graph_with(sigmoid, linear))
    mask, made = padded.blocks[0].ops[2:4]
    assert isinstance(mask, MulParam) and made.operands == (mask.name,)
    ones = open_weights(None, padded).array(mask.param.names[0])
    assert ones.tolist() == [1.0] * 40 + [0.0] * 24


def rotated(head: int, turned: int, interleaved: bool = False, center: bool = False) -> Graph:
    """Attention of two heads whose first elements are rotated."""
    width = 2 * head
    q = Linear(name="q", width=width, x="x", weight=parameter("q", width, 40))
    n = Norm(name="n", width=width, x="q", segment=head, eps=1e-5, center=center)
    r = Rotary(name="r", width=width, x="n", heads=2, head_dim=head, rotary_dim=turned, table="t",
               interleaved=interleaved)  # fmt: skip
    a = Attention(name="a", width=width, q="r", k="r", v="q", heads=2, kv_heads=2, head_dim=head, scale=1.0)
    table = PositionTable(name="t", width=2 * turned)
    return replace(graph_with(q, n, r, a), tables=(table,))


@pytest.mark.parametrize(
    ("head", "turned", "interleaved", "padded_head", "padded_turned"),
    [(100, 100, False, 112, 104), (8, 8, False, 16, 8), (20, 10, False, 32, 16), (20, 20, True, 32, 24),
     (100, 36, False, 112, 40), (16, 16, False, 16, 16)],
)  # fmt: skip
def test_halves_of_a_rotated_part_end_alike(
    head: int, turned: int, interleaved: bool, padded_head: int, padded_turned: int
) -> None:
    graph = padded_graph(rotated(head, turned, interleaved))
    ops = {op.name: op for op in graph.blocks[0].ops}
    r, a, n = ops["r"], ops["a"], ops["n"]
    assert isinstance(r, Rotary) and isinstance(a, Attention) and isinstance(n, Norm)
    assert (r.head_dim, r.rotary_dim, a.head_dim, n.segment) == (
        padded_head,
        padded_turned,
        padded_head,
        padded_head,
    )
    assert n.elements == head and graph.tables[0].width == 2 * padded_turned
    FixNumerics()(graph)
    values = np.arange(3 * 2 * turned, dtype=np.float32).reshape(3, -1) + 1
    table = padded_tables({"t": values}, graph)["t"].reshape(3, 2, -1)
    places = rotated_places(graph, graph.blocks[0], r)
    assert (
        np.array_equal(table[:, :, places >= 0], values.reshape(3, 2, -1))
        and not table[:, :, places < 0].any()
    )
    if not interleaved:
        pairs = places.reshape(2, -1)
        assert ((pairs[1] - pairs[0] == turned // 2) | (pairs[0] < 0)).all()


def test_a_layer_norm_with_zeros_in_its_middle_is_refused() -> None:
    with pytest.raises(StbuildError, match="zeros must stand within the 20 elements of a layer norm"):
        padded_graph(rotated(20, 10, center=True))


def test_zeros_widen_no_group_of_the_numbers_that_a_matrix_has() -> None:
    made = Derived(name="p", sources=("w",), shapes=((5, 40),), row_gaps=(Gap(before=5, zeros=3),),
                   column_gaps=(Gap(before=40, zeros=24),))  # fmt: skip
    values = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    packed = padded_and_rounded(values, made, MatrixForm(bits=4, group=128))
    assert (packed.rows, packed.cols, packed.group) == (8, 64, 64)
    assert not packed.dequantise()[5:].any()
    assert np.abs(without_columns(packed.dequantise(), made)[:5] - values).max() < 0.25


def q4(rows: int, cols: int, group: int = 32, *, zero_points: bool = False) -> PackedMatrix:
    random = np.random.default_rng(1)
    d = random.uniform(0.5, 1, (rows, cols // group)).astype(np.float16)
    m = random.integers(0, 17, d.shape).astype(np.uint8) if zero_points else (-d).astype(np.float16)
    q = random.integers(0, 16, (rows, cols)).astype(np.uint8)
    return PackedMatrix(rows=rows, cols=cols, group=group, bits=4, d=d, m=m, q=q)


@pytest.mark.parametrize("zero_points", [False, True])
@pytest.mark.parametrize("head", [8, 16])
def test_stored_numbers_keep_their_scales(head: int, zero_points: bool) -> None:
    """Columns of heads of 8, each padded to 16: two heads of the card's group lie in one stored group."""
    packed = q4(6, 128, group=64, zero_points=zero_points)
    gaps = tuple(Gap(before=at, zeros=16 - head % 16) for at in range(head, 129, head))
    made = Derived(
        name="p", sources=("w",), shapes=((6, 128),), row_gaps=(Gap(before=2, zeros=2),), column_gaps=gaps
    )
    padded = padded_as_stored(packed, made)
    assert padded.form.zero_points == zero_points
    kept = padded.dequantise()[elements(6, made.row_gaps) >= 0]
    assert np.array_equal(without_columns(kept, made), packed.dequantise())
    assert not padded.dequantise()[elements(6, made.row_gaps) < 0].any()


def test_stored_groups_that_parts_would_cut_are_refused() -> None:
    gaps = tuple(Gap(before=at, zeros=8) for at in range(24, 97, 24))
    made = Derived(name="p", sources=("w",), shapes=((6, 96),), column_gaps=gaps)
    with pytest.raises(StbuildError, match="'w' is stored in groups of 32 columns, which its parts, padded"):
        padded_as_stored(q4(6, 96), made)


def test_zeros_of_floats_stand_where_the_gaps_are() -> None:
    gaps = (Gap(before=0, zeros=1), Gap(before=2, zeros=2), Gap(before=3, zeros=1))
    assert spread(np.array([1, 2, 3], dtype=np.float32), gaps).tolist() == [0, 1, 2, 0, 0, 3, 0]
    assert elements(3, gaps).tolist() == [-1, 0, 1, -1, -1, 2, -1]


@pytest.fixture(scope="module")
def stories() -> tuple[LlamaForCausalLM, ModelGraph]:
    model = tiny_llama(layers=1, **HEADS_OF_8)
    return model, decode_graph(model, name="stories", context=CONTEXT)


def gguf_file(path: Path, model: LlamaForCausalLM, **changes: int) -> Path:
    """The model in Q4_0 where its columns are whole blocks, else in F16, as llama.cpp's converter has it."""
    writer = gguf.GGUFWriter(path, "llama")
    facts = {"block_count": 1, "embedding_length": 64, "rope.dimension_count": 8, "attention.head_count": 8,
             "attention.head_count_kv": 4, "attention.key_length": 8, "context_length": 128,
             **changes}  # fmt: skip
    for key, value in facts.items():
        writer.add_uint32(f"llama.{key}", value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 1)
    for name, value in model.state_dict().items():
        place = names.get_name(name, try_suffixes=(".weight",))
        data = value.float().numpy()
        assert place is not None
        if data.ndim == 1:
            writer.add_tensor(place, data)
        elif data.shape[1] % 32:
            writer.add_tensor(place, data.astype(np.float16))
        else:
            kind = gguf.GGMLQuantizationType.Q4_0
            writer.add_tensor(place, gguf.quants.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file_of_heads_of_8_keeps_its_blocks(
    stories: tuple[LlamaForCausalLM, ModelGraph], tmp_path: Path
) -> None:
    model, traced = stories
    weights = open_weights(gguf_file(tmp_path / "s.gguf", model), traced.graph, tables=traced.tables)
    name = "model.layers.0.self_attn.o_proj.weight"
    padded = weights.matrix(f"{name}.padded")
    assert (padded.rows, padded.cols, padded.group, padded.bits) == (64, 128, 32, 4)
    assert np.array_equal(weights.dense(name), weights.array(name))
    down = weights.matrix("model.layers.0.mlp.down_proj.weight.padded")
    assert (down.rows, down.cols) == (64, 192)


def test_a_gguf_file_of_other_heads_is_refused(
    stories: tuple[LlamaForCausalLM, ModelGraph], tmp_path: Path
) -> None:
    model, traced = stories
    path = gguf_file(tmp_path / "s.gguf", model, **{"attention.key_length": 16})
    with pytest.raises(StbuildError, match=r"key_length is 16, the model in .* has 8 elements of a head"):
        open_weights(path, traced.graph, tables=traced.tables)


@pytest.mark.parametrize("config", [AWQ, GPTQ], ids=["awq", "gptq"])
def test_a_quantised_folder_of_heads_of_8_keeps_its_numbers(
    config: dict[str, object], tmp_path: Path
) -> None:
    sizes: dict[str, Any] = {**HEADS_OF_8, "intermediate_size": 96, "hidden_size": 64}
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=64, num_hidden_layers=1, max_position_embeddings=64, **sizes)
    )
    write_folder(tmp_path, model, Packing(config=config, group=32))
    weights = open_weights(tmp_path, decode_graph(model, name="tiny", context=CONTEXT).graph)
    name = "model.layers.0.self_attn.o_proj.weight"
    assert weights.matrix(f"{name}.padded").form == MatrixForm(bits=4, group=32, zero_points=True)
    assert np.array_equal(weights.dense(name), weights.array(name))


def test_a_quantised_folder_of_odd_columns_is_refused(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {**HEADS_OF_8, "intermediate_size": 72, "hidden_size": 64}
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=64, num_hidden_layers=1, max_position_embeddings=64, **sizes)
    )
    write_folder(tmp_path, model, Packing(config=GPTQ, group=32))
    graph = decode_graph(model, name="tiny", context=CONTEXT).graph
    with pytest.raises(StbuildError, match="has 72 columns, which is not a multiple of 32"):
        open_weights(tmp_path, graph)


def test_synthetic_weights_are_of_the_size_of_unpadded_ones() -> None:
    model = tiny_llama(layers=1, hidden_size=100, num_attention_heads=5, num_key_value_heads=5)
    weights = open_weights(None, decode_graph(model, name="odd", context=CONTEXT).graph)
    matrix = torch.from_numpy(weights.dense("model.layers.0.self_attn.q_proj.weight"))
    assert matrix.shape == (100, 100) and float(matrix.std()) == pytest.approx(0.1, rel=0.15)
