"""Fraction bits of a project's own: which ops take them, and which files are refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.frontend.model_graph import decode_graph
from stbuild.ir.formats import USUAL, Formats, formats_text, read_formats
from stbuild.ir.graph import Block, Graph
from stbuild.ops.add import Add
from stbuild.ops.affine import Affine
from stbuild.ops.linear import Linear
from stbuild.ops.mul_param import MulParam
from stbuild.ops.norm import Norm
from stbuild.ops.rescale import Rescale
from stbuild.passes.numerics import FixNumerics
from tests.models import tiny_llama

OWN = Formats(
    residual=20, values={"layers/mul": 9, "layers/attention": 21, "layers/rotary_1": 18, "head/norm": 19}
)


@pytest.fixture(scope="module")
def traced() -> Graph:
    return decode_graph(tiny_llama(), name="tiny", context=32).graph


def bits(block: Block) -> dict[str, int]:
    return {op.name: op.frac for op in block.ops}


def test_values_and_the_residual_stream_take_their_own_bits(traced: Graph) -> None:
    first, layers, head = FixNumerics(formats=OWN)(traced).blocks
    found = bits(layers)
    assert bits(first) == {"embed_tokens": 20}
    assert {n: found[n] for n in ("o_proj", "add", "down_proj", "add_1")} == dict.fromkeys(
        ("o_proj", "add", "down_proj", "add_1"), 20
    )
    assert (found["mul"], found["mul_q"], found["attention"], found["rotary_1"]) == (9, 9, 21, 18)
    assert (found["v_proj"], found["silu"], found["rotary"]) == (16, 16, 16)
    assert bits(head)["norm"] == 19 and bits(head)["lm_head"] == 16
    rescaled = {(op.x, op.frac) for op in layers.ops if isinstance(op, Rescale)}
    assert rescaled == {("q_proj", 18), ("rotary_1", 16), ("v_proj", 21)}


def test_a_parameter_takes_its_own_bits(traced: Graph) -> None:
    scaled = with_layer_scale(traced)
    layers = FixNumerics(formats=Formats(parameters={"layers/scaled": 28}))(scaled).blocks[1]
    scale = layers.op("scaled")
    assert isinstance(scale, MulParam)
    assert (scale.param_frac, scale.frac) == (28, 12)


def with_layer_scale(graph: Graph) -> Graph:
    """`graph` with a scale per channel on the last summand of its layers."""
    layers = graph.blocks[1]
    norm = next(op for op in layers.ops if isinstance(op, Norm) and op.weight is not None)
    assert norm.weight is not None
    *ops, last = layers.ops
    assert isinstance(last, Add)
    scale = MulParam(name="scaled", width=64, x="down_proj", param=norm.weight)
    changed = replace(layers, ops=(*ops, scale, replace(last, b="scaled")))
    return replace(graph, blocks=(graph.blocks[0], changed, graph.blocks[2]))


BAD = [
    ("", "not JSON"),
    ("[]", "the file does not hold an object with residual, values, parameters"),
    ('{"value": {}}', "there is no section 'value' (known: residual, values, parameters)"),
    ('{"residual": 31}', "residual takes a number of fraction bits, 0 to 30, got 31"),
    ('{"residual": true}', "residual takes a number of fraction bits, 0 to 30, got true"),
    ('{"values": {"layers/mul": -1}}', "'layers/mul' takes a number of fraction bits, 0 to 30, got -1"),
    ('{"values": {"layers/mul": "8"}}', "values: 'layers/mul' takes a number of fraction bits, 0 to 30, got"),
    ('{"values": [8]}', "values is not an object from `block/value`"),
    ('{"parameters": {"layers/mul": 1.5}}', "parameters: 'layers/mul' takes a number"),
    ('{"values": {"layers/mull": 8}}', "values names 'layers/mull', which the model does not have or whose"
     " bits follow from others (did you mean 'layers/mul'? `stbuild run PROJECT:formats` proposes"),
    ('{"values": {"head/lm_head": 8}}', "values names 'head/lm_head', which the model does not"),
    ('{"parameters": {"layers/mul": 8}}', "parameters names 'layers/mul', which the model does not have"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), BAD, ids=[sentence[:40] for _, sentence in BAD])
def test_a_wrong_file_is_refused(traced: Graph, tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "formats.json"
    path.write_text(text)
    with pytest.raises(StbuildError) as found:
        FixNumerics(formats=read_formats(str(path)), where=str(path))(traced)
    assert str(found.value).startswith(f"{path}:") and sentence in str(found.value)


def test_bits_that_an_op_cannot_have_are_refused(traced: Graph) -> None:
    with pytest.raises(
        StbuildError, match=r"Norm 'input_layernorm': its eps 0\.1 is too large beside values"
    ):
        FixNumerics(formats=Formats(residual=30))(changed_norms(traced))
    head = traced.blocks[-1]
    affine = Affine(name="moved", width=64, x="norm", scale=1.0, offset=4.0)
    last = head.ops[-1]
    assert isinstance(last, Linear)
    linear = replace(last, x="moved")
    other = replace(traced, blocks=(*traced.blocks[:-1], replace(head, ops=(head.ops[0], affine, linear))))
    FixNumerics(formats=Formats(values={"head/moved": 28}))(other)
    with pytest.raises(StbuildError, match=r"Affine 'moved': its offset 4 is beyond 4"):
        FixNumerics(formats=Formats(values={"head/moved": 29}))(other)


def changed_norms(graph: Graph) -> Graph:
    """`graph` with an eps of 0.1 in its layers."""
    layers = graph.blocks[1]
    ops = tuple(replace(op, eps=0.1) if isinstance(op, Norm) else op for op in layers.ops)
    return replace(graph, blocks=(graph.blocks[0], replace(layers, ops=ops), graph.blocks[2]))


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "formats.json"
    for formats in (OWN, USUAL, Formats(parameters={"a/b": 30})):
        path.write_text(formats_text(formats))
        assert read_formats(str(path)) == formats
    assert json.loads(formats_text(USUAL)) == {}
