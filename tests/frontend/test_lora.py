"""LoRA: low-rank products of any rank are two linear layers, or merged when asked."""

import numpy as np
import pytest

from stbuild.chain.float_report import checked
from stbuild.chain.float_run import float_run
from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.lora import merge_lora
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.module_run import ModuleRun
from stbuild.ops.linear import Linear
from stbuild.passes.numerics import FixNumerics
from tests.floats import float_check
from tests.lora import KINDS, lora_decoder, merged_by_hand, merged_graph
from tests.models import decoder
from tests.module_weights import weights_of


@pytest.mark.parametrize("kind", ["peft", "loralib"])
def test_a_rank_of_32_is_two_linear_layers(kind: str) -> None:
    model = lora_decoder(kind, 32)
    traced = decode_graph(model, name="tiny", context=32)
    linear = [op for op in traced.graph.blocks[1].ops if isinstance(op, Linear)]
    assert sum("lora_A" in op.weight.names[0] for op in linear) == 3
    float_check(model, traced)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rank_of_8_is_two_linear_layers_with_rows_and_columns_of_zeros(kind: str) -> None:
    model = lora_decoder(kind, 8)
    traced = decode_graph(model, name="tiny", context=32)
    linear = {op.name: op for op in traced.graph.blocks[1].ops if isinstance(op, Linear)}
    low = [op for op in linear.values() if "lora_A" in op.weight.names[0]]
    assert low and {op.weight.shape[0] for op in low} == {32}
    float_check(model, traced)


@pytest.mark.parametrize(("kind", "bias"), [("peft", True), ("loralib", True), ("hand", False)])
def test_merged_weights_compute_what_the_modules_compute(kind: str, bias: bool) -> None:
    model = lora_decoder(kind, 8, bias=bias)
    plain, traced = merged_graph(model)
    weights = weights_of(model, traced.graph, 32)
    by_hand = dict(merged_by_hand(model).named_parameters())
    name = "layers.1.attn.q_proj.weight"
    np.testing.assert_allclose(weights.array(name), by_hand[name], rtol=1e-5, atol=1e-6)
    if bias:
        name = "layers.0.mlp.down_proj.bias"
        np.testing.assert_allclose(weights.array(name), by_hand[name], rtol=1e-5, atol=1e-6)
    fixed = FixNumerics()(traced.graph)
    run = ModuleRun(module=plain, context=32)
    checked(float_run(lambda: run, fixed, weights, traced.tables), {})


def test_synthetic_weights_of_a_merged_model_are_those_of_its_parts() -> None:
    _, traced = merged_graph(lora_decoder("peft", 8))
    weights = open_weights(None, traced.graph)
    assert weights.synthetic
    assert "layers.0.attn.q_proj.lora_A.default.weight" in weights.names()
    assert weights.array("layers.0.attn.q_proj.weight").std() == pytest.approx(64**-0.5, rel=0.4)


@pytest.mark.parametrize(
    ("kind", "why"),
    [("dora", "has a parameter 'lora_magnitude_vector' besides"),
     ("tanh", r"computes something else than W x \+ s B A x")],
)  # fmt: skip
def test_modules_that_do_more_are_not_merged(kind: str, why: str) -> None:
    with pytest.raises(
        StbuildError, match=rf"LoRA module 'layers.0.attn.q_proj' .* cannot be merged: it {why}"
    ):
        merge_lora(lora_decoder(kind, 8))


def test_merging_nothing_is_a_mistake() -> None:
    with pytest.raises(StbuildError, match="no module of the model has lora_A and lora_B"):
        merge_lora(decoder())
