"""Fraction bits that are proposed for a model's weights make it right where the usual ones do not."""

from typing import Any

import pytest
import torch
from torch import nn

from stbuild.chain.proposal import proposed, said
from stbuild.codegen.kernels import kernel_files
from stbuild.codegen.system import system_file
from stbuild.errors import StbuildError
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.weights import index_of, uses_of
from stbuild.ir.formats import USUAL, Formats
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import platform
from tests.chain.test_float_check import LayerScale, with_ffn
from tests.floats import float_check, run_of
from tests.models import decoder, tiny_llama
from tests.module_weights import ModuleWeights


def small_layer_scale() -> Any:
    """Scales of 1e-5 on a large branch."""
    model = with_ffn(torch.relu)
    for layer in model.layers:
        layer.mlp.down.weight.mul_(5e3)
        layer.mlp = LayerScale(layer.mlp, 1e-5).requires_grad_(False)
    return model


def small_residual() -> Any:
    """A residual stream near 2e-4."""
    model = with_ffn(torch.relu)
    model.embed.weight.mul_(2e-4)
    for layer in model.layers:
        layer.mlp.down.weight.mul_(2e-4)
        layer.attn.o_proj.weight.mul_(2e-4)
    return model


def large_activations() -> Any:
    """Activations above 32,768."""
    model = with_ffn(lambda x: torch.relu(x * 300) ** 2)
    for layer in model.layers:
        layer.mlp.down.weight.mul_(1e-5)
    return model


CASES: dict[str, tuple[Any, Formats]] = {
    "layer scale": (small_layer_scale, Formats(parameters={"layers/mlp_gamma": 30})),
    "residual": (small_residual, Formats(residual=30)),
    "activations": (large_activations, Formats(values={"layers/mul": 7})),
}


@pytest.mark.parametrize("case", CASES)
def test_a_model_that_the_usual_bits_do_not_hold_becomes_right(case: str) -> None:
    make, expected = CASES[case]
    model = make()
    with pytest.raises(StbuildError, match="proposes other fraction bits"):
        float_check(model)
    traced = decode_graph(model, name="tiny", context=32)
    formats = proposed(traced.graph, run_of(model, traced))
    assert formats == expected
    agreement, _ = float_check(model, traced, formats=formats)
    assert agreement.least_similar.cosine > 0.999


@pytest.mark.parametrize("model", [tiny_llama(), decoder(norm="layer", bias=True)], ids=["llama", "decoder"])
def test_a_sound_model_keeps_the_usual_bits(model: nn.Module) -> None:
    traced = decode_graph(model, name="tiny", context=32)
    formats = proposed(traced.graph, run_of(model, traced))
    assert formats == USUAL
    assert list(said(formats)) == ["the usual fraction bits hold this model"]


def test_new_weights_never_change_the_cxx() -> None:
    model = tiny_llama(layers=1)
    first = sources(model)
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) * 1e3)
    assert sources(model) == first


def sources(model: nn.Module) -> dict[str, str]:
    """The C++ of `model` with its weights."""
    graph = FixNumerics()(decode_graph(model, name="tiny", context=32).graph)
    index = index_of(graph, ModuleWeights.of(model, uses_of(graph, 32)))
    design = plan(graph, index, platform("u55c"), SizeOverrides(channels=2, lanes=1))
    return {**kernel_files(design), "system": system_file(design)}
