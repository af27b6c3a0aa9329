"""The numerics pass: where the residual stream runs, what is inserted, what is refused."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from stbuild.errors import StbuildError
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.param import Param
from stbuild.ir.types import ACTIVATION_FRAC, RESIDUAL_FRAC
from stbuild.ir.values import block_shapes
from stbuild.ops.add import Add
from stbuild.ops.affine import Affine
from stbuild.ops.attention import Attention
from stbuild.ops.embed import Embed
from stbuild.ops.linear import Linear
from stbuild.ops.map import Map
from stbuild.ops.mul import Mul
from stbuild.ops.norm import Norm
from stbuild.ops.quantize import Quantize
from stbuild.ops.rescale import Rescale
from stbuild.ops.slice import Slice
from stbuild.passes.numerics import FixNumerics
from tests.reference.small import Variant, samples, small_graph, variants
from tests.reference.smollm2 import smollm2_graph

RELU = samples(lambda x: x.clip(0))


def fixed(variant: Variant) -> Graph:
    return FixNumerics()(small_graph(variant)[0])


def fracs(graph: Graph, block: str) -> dict[str, int]:
    return {name: shape.frac for name, shape in block_shapes(graph)[block].items()}


def test_formats_of_smollm2() -> None:
    found = fracs(FixNumerics()(smollm2_graph()), "layers")
    assert {name for name, frac in found.items() if frac == RESIDUAL_FRAC} == {"x", "h", "o", "down", "y"}
    assert {found[name] for name in ("n1", "q", "a", "act", "m")} == {ACTIVATION_FRAC}


def test_one_quantize_for_all_that_read_a_value() -> None:
    layer = FixNumerics()(smollm2_graph()).blocks[1]
    assert [op.name for op in layer.ops if isinstance(op, Quantize)] == ["n1_q", "a_q", "n2_q", "m_q"]
    assert [op.x for op in layer.ops if isinstance(op, Linear)] == [
        "n1_q", "n1_q", "n1_q", "a_q", "n2_q", "n2_q", "m_q",
    ]  # fmt: skip
    assert not [op for op in layer.ops if isinstance(op, Rescale)]


def test_a_bias_carries_the_residual_format_to_its_linear() -> None:
    found = fracs(fixed(Variant(bias=True)), "layers")
    assert (found["o_w"], found["o"], found["q_w"]) == (RESIDUAL_FRAC, RESIDUAL_FRAC, ACTIVATION_FRAC)


def test_a_norm_behind_attention_feeds_the_residual_stream_directly() -> None:
    found = fracs(fixed(Variant(after_norm=True)), "layers")
    assert (found["an"], found["o"]) == (RESIDUAL_FRAC, ACTIVATION_FRAC)


def test_embeddings_that_are_added_are_residual() -> None:
    found = fracs(fixed(Variant(positions=True)), "embed")
    assert set(found.values()) == {RESIDUAL_FRAC}


def test_scaled_embeddings_are_not() -> None:
    found = fracs(fixed(Variant(scaled=True)), "embed")
    assert (found["tok"], found["scaled"]) == (ACTIVATION_FRAC, RESIDUAL_FRAC)


def test_attention_that_is_added_is_rescaled() -> None:
    layer = fixed(Variant(scaled=True, heads=4)).blocks[1]
    add = layer.op("h")
    assert isinstance(add, Add)
    assert add.b == "a_f12"
    assert isinstance(layer.op("a_f12"), Rescale)


@settings(max_examples=50, deadline=None)
@given(variants())
def test_every_operand_fits(variant: Variant) -> None:
    graph = fixed(variant)
    for block, shapes in block_shapes(graph).items():
        for op in next(b for b in graph.blocks if b.name == block).ops:
            _check_formats(op, [shapes[name].frac for name in op.operands])
    assert fracs(graph, "head")["logits"] == ACTIVATION_FRAC


def _check_formats(op: Op, found: list[int]) -> None:
    match op:
        case Add():
            assert found == [op.frac, op.frac]
        case Map():
            assert found == [ACTIVATION_FRAC]
            assert len(op.bases) == len(op.slopes) == 256
        case Attention():
            assert found == [ACTIVATION_FRAC] * 3
        case Linear():
            assert op.x.endswith("_q")
        case Affine():
            assert 2**22 <= abs(op.multiplier) < 2**23
        case Quantize() | Slice():
            assert found == [op.frac]


def test_formats_are_fixed_once() -> None:
    with pytest.raises(StbuildError, match="the graph already has number formats"):
        FixNumerics()(fixed(Variant()))


def graph_of(*ops: Op, vocab_size: int = 32) -> Graph:
    """One layer block of `ops` on a value `x` of 64 elements, with a head."""
    first, layers, head = small_graph(Variant())[0].blocks
    embed = Embed(name="tok", width=64, table=Param(names=("e",), shape=(vocab_size, 64)))
    body = replace(layers, count=1, ops=ops, outputs=(ops[-1].name,))
    weight = Param(names=("w",), shape=(vocab_size, 64))
    logits = Linear(name="logits", width=vocab_size, x="x", weight=weight)
    blocks = (replace(first, ops=(embed,)), body, replace(head, ops=(logits,)))
    return Graph(name="bad", vocab_size=vocab_size, context=32, blocks=blocks)


def weight(*shape: int, scale: float = 1.0, runs: int = 1) -> Param:
    return Param(names=("w",) * runs, shape=shape, scale=scale)


def attention(**changes: float) -> Attention:
    whole = {"heads": 2, "kv_heads": 2, "head_dim": 32, "scale": 0.2, "width": 64} | changes
    return Attention(name="y", q="x", k="x", v="x", **whole)  # type: ignore[arg-type] # ints but for scale


REFUSED = [
    (
        Linear(name="y", width=64, x="z", weight=weight(64, 64)),
        "Linear 'y': it reads 'z', which no op before",
    ),
    (Linear(name="y", width=64, x="x", weight=weight(64, 32)), r"its weight \[64, 32\] is not \[64, 64\]"),
    (Linear(name="y", width=64, x="x", weight=weight(64, 64, scale=2.0)), "its weight is scaled"),
    (Linear(name="y", width=60, x="x", weight=weight(60, 64)), "its size 60 is not a multiple of 16"),
    (Linear(name="y", width=64, x="x", weight=weight(64, 64, runs=2)), "it has 2 weights for 1 runs"),
    (Linear(name="x", width=64, x="x", weight=weight(64, 64)), "Linear 'x': its name is taken"),
    (Norm(name="y", width=64, x="x", segment=64, eps=-1.0), "its eps -1 is not between 0 and 1024"),
    (
        Norm(name="y", width=64, x="x", segment=48, eps=0.0),
        "its 64 elements are not a multiple of its segment of 48",
    ),
    (Map(name="y", width=64, x="x", function="relu", samples=RELU[:9]), "it has 9 samples, not 257"),
    (
        Map(name="y", width=64, x="x", function="exp", samples=(1e6,) * 257),
        "cannot be tabulated.*beyond 524,288",
    ),
    (Affine(name="y", width=64, x="x", scale=1.0, offset=6e5), "its offset 600000 is beyond 524,288"),
    (Slice(name="y", width=64, x="x", start=16), "it ends behind 'x'"),
    (Slice(name="y", width=16, x="x", start=8), "its size 8 is not a multiple of 16"),
    (attention(heads=4), "it has 64 elements, needs 128"),
    (attention(head_dim=528), "its heads have 528 elements, more than 512"),
    (attention(scale=1e3), "its scale 1000 is too large for 64-bit scores"),
]


@pytest.mark.parametrize(("op", "message"), REFUSED, ids=[message[:40] for _, message in REFUSED])
def test_refused_ops(op: Op, message: str) -> None:
    with pytest.raises(StbuildError, match=message):
        FixNumerics()(graph_of(op))


def test_a_refusal_names_the_source_line() -> None:
    op = Slice(name="y", width=64, x="x", start=16, origin="model.py:12")
    with pytest.raises(StbuildError) as caught:
        FixNumerics()(graph_of(op))
    assert caught.value.where == "model.py:12"


def test_refused_operand_widths() -> None:
    ops = (Slice(name="s", width=32, x="x", start=0), Mul(name="y", width=64, a="x", b="s"))
    with pytest.raises(StbuildError, match="Mul 'y': it has 32 elements, needs 64"):
        FixNumerics()(graph_of(*ops))


def test_refused_input_of_a_linear() -> None:
    ops = (
        Slice(name="s", width=48, x="x", start=0),
        Linear(name="y", width=64, x="s", weight=weight(64, 48)),
    )
    with pytest.raises(StbuildError, match="its input of 48 elements is not a multiple of 32"):
        FixNumerics()(graph_of(*ops))


def refused_blocks() -> list[tuple[Graph, str]]:
    good = graph_of(Slice(name="y", width=64, x="x", start=0))
    first, body, head = good.blocks
    wide = Block(name="wide", count=2, inputs=("x",), outputs=("y",),
                 ops=(Linear(name="y", width=32, x="x", weight=weight(32, 64, runs=2)),))  # fmt: skip
    return [
        (replace(good, blocks=()), "graph 'bad' has no block"),
        (replace(good, context=40000), "a context of 40000 is beyond 32768"),
        (replace(good, vocab_size=16), r"the last block 'head' makes \[32\], not the 16 logits"),
        (replace(good, blocks=(first, wide, head)), r"outputs \[32\] are not as wide as its inputs \[64\]"),
        (replace(good, blocks=(first, replace(body, inputs=()), head)), "takes 0 values, but 1 arrive"),
        (replace(good, blocks=(first, replace(body, outputs=("z",)), head)), "hands on 'z', which it"),
        (replace(good, blocks=(first, replace(body, ops=(attention(),))), vocab_size=64),
         "attention in the last block"),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(7))
def test_refused_graphs(number: int) -> None:
    graph, message = refused_blocks()[number]
    with pytest.raises(StbuildError, match=message):
        FixNumerics()(graph)
