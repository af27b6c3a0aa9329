"""A model that its graph or the card's integers do not hold fails the build, with the op by name."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stbuild.chain.english import float_logits
from stbuild.chain.float_report import checked, closing_line
from stbuild.chain.float_run import FloatRun, float_run, lazy_model
from stbuild.errors import StbuildError
from stbuild.frontend.export import export_model
from stbuild.frontend.exported import write_exported
from stbuild.frontend.model_graph import ModelGraph, decode_graph
from stbuild.frontend.module_run import ModuleRun
from stbuild.frontend.runnable import PREFILL_TOKENS
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.agreement import Agreement
from tests.floats import float_check, run_of
from tests.models import decoder, tiny_llama
from tests.module_weights import weights_of


class Ffn(nn.Module):
    """A feed-forward network around the function `change`."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(64, 96, bias=False), nn.Linear(96, 64, bias=False)
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.down(self.change(self.up(x)))
        return result


def with_ffn(change: Any) -> Any:
    """A decoder whose feed-forward networks apply `change`."""
    model = decoder()
    torch.manual_seed(1)
    for layer in model.layers:
        ffn = Ffn(change).requires_grad_(False)
        ffn.up.weight.copy_(torch.randn(96, 64) / 8)
        ffn.down.weight.copy_(torch.randn(64, 96) / 96**0.5)
        layer.mlp = ffn
    return model


def test_a_sound_model_passes_with_its_figures_in_one_line() -> None:
    run = run_of(tiny_llama())
    line = closing_line(run, *float_check(tiny_llama()))
    assert line.startswith("the graph is the model within ")
    assert "21 tokens from position 0, 2 from 30" in line
    assert "0 saturate, " in line and "eps of" not in line


def test_a_process_of_its_own_finds_the_same() -> None:
    found = []
    for forked in (False, True):
        run, agreement = run_of(tiny_llama(), forked=forked), Agreement()
        outcome = run.run(agreement)
        found.append((outcome.graph, outcome.module, agreement))
    (graph, module, here), (other_graph, other_module, there) = found
    assert torch.allclose(graph, other_graph, rtol=1e-5, atol=1e-5)
    assert torch.allclose(module, other_module, rtol=1e-5, atol=1e-5)
    assert here.counts.keys() == there.counts.keys() and len(here.own) == len(there.own) > 30


def test_what_fails_in_a_process_of_its_own_is_told() -> None:
    with pytest.raises(StbuildError, match=r"Map 'silu' in layers\.0\.mlp") as found:
        checked(run_of(with_ffn(BRANCHES["longer than the trace"][0]), forked=True), {})
    assert found.value.exit_code == 1
    with pytest.raises(RuntimeError, match="running the graph failed: KeyError: 'rotary'"):
        checked(replace(run_of(tiny_llama(), forked=True), tables={}), {})


def test_the_run_that_names_the_op_forks_no_more() -> None:
    """Threads that have multiplied by then may hold locks of MKL, which a forked process would wait for."""
    forks: list[int] = []
    os.register_at_fork(before=lambda: forks.append(os.getpid()))
    run = run_of(with_ffn(BRANCHES["longer than the trace"][0]), forked=True)
    with pytest.raises(StbuildError, match="the first op that differs"):
        checked(run, {})
    assert len(forks) == 1


BRANCHES: dict[str, tuple[Any, str]] = {
    "longer than the trace": (
        lambda x: torch.relu(x) if x.shape[1] > 3 else torch.nn.functional.silu(x),
        "21 tokens from position 0 on differ by .*; the first op that differs is Map 'silu' in layers.0.mlp",
    ),
    "two tokens": (
        lambda x: torch.nn.functional.silu(x) * (1.01 if x.shape[1] == 2 else 1.0),
        "2 tokens from position 30 on differ by .*; the first op that differs is Linear 'down' in layers",
    ),
}


@pytest.mark.parametrize("case", BRANCHES)
def test_a_branch_on_the_number_of_tokens_is_found(case: str) -> None:
    change, sentence = BRANCHES[case]
    with pytest.raises(StbuildError, match=f"the graph is not the model: the logits of {sentence}") as found:
        float_check(with_ffn(change))
    assert found.value.where is not None and "test_float_check.py:" in found.value.where
    assert found.value.exit_code == 1


FINE: dict[str, tuple[Any, str]] = {
    "beyond 32,768": (lambda x: torch.relu(x * 300) ** 2, "Mul 'mul' in layers.0.mlp"),
}


@pytest.mark.parametrize("case", FINE)
def test_integers_that_do_not_hold_a_function_are_found(case: str) -> None:
    change, op = FINE[case]
    with pytest.raises(StbuildError, match="integers are not near the floats: cosine") as found:
        float_check(with_ffn(change))
    assert f"the first op that differs is {op}: from exact operands" in found.value.message
    assert found.value.where is not None and "test_float_check.py:" in found.value.where


class LayerScale(nn.Module):
    """A branch times a small parameter per channel."""

    def __init__(self, inner: nn.Module, size: float) -> None:
        super().__init__()
        self.inner, self.gamma = inner, nn.Parameter(torch.linspace(0.8, 1.2, 64) * size)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.gamma * self.inner(x)
        return result


def test_a_layer_scale_below_the_parameters_grid_is_found() -> None:
    model = with_ffn(torch.relu)
    for layer in model.layers:
        layer.mlp.down.weight.mul_(5e3)
        layer.mlp = LayerScale(layer.mlp, 1e-5).requires_grad_(False)
    with pytest.raises(StbuildError, match=r"MulParam '.*gamma' in layers\.\*\.mlp: from exact operands"):
        float_check(model)


def test_a_residual_below_its_grid_is_found() -> None:
    model = with_ffn(torch.relu)
    model.embed.weight.mul_(2e-4)
    for layer in model.layers:
        layer.mlp.down.weight.mul_(2e-4)
        layer.attn.o_proj.weight.mul_(2e-4)
    with pytest.raises(
        StbuildError, match="the first op that differs is Embed 'embed' in embed: from exact operands"
    ):
        float_check(model)


class RootNorm(nn.Module):
    """A norm that divides by sqrt(mean) + eps, for which sqrt(mean + eps') stands on the card."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.linspace(0.5, 1.5, 64)), eps

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x / (x.pow(2).mean(-1, keepdim=True).sqrt() + self.eps) * self.weight
        return result


def test_a_replaced_eps_is_told_and_is_no_difference_of_the_graph() -> None:
    model: Any = decoder()
    model.norm = RootNorm(1e-5)
    agreement, outcome = float_check(model)
    assert list(agreement.eps) == [("head", "norm")]
    assert 0 < agreement.eps["head", "norm"] < 1e-3
    assert "; eps of 1 norms replaced, 0.0" in closing_line(run_of(model), agreement, outcome)


def test_a_replaced_eps_too_far_from_the_model_s_own_is_found() -> None:
    model: Any = decoder()
    model.norm = RootNorm(1e-5)
    model.embed.weight.mul_(1e-3)
    for layer in model.layers:
        layer.attn.o_proj.weight.mul_(1e-3)
        layer.mlp.down_proj.weight.mul_(1e-3)
    with pytest.raises(StbuildError, match="Norm 'norm' in norm: its eps stands for another formula"):
        float_check(model)


def test_a_function_whose_inputs_share_a_segment_of_its_table_is_found() -> None:
    model = with_ffn(lambda x: torch.nn.functional.gelu(x) - 0.5 * x)
    for layer in model.layers:
        layer.mlp.up.weight.mul_(0.01)
    with pytest.raises(StbuildError, match=r"Map 'sub' in layers\.\*\.mlp: from exact operands its integers"):
        float_check(model)


def exported_run(module: nn.Module, traced: ModelGraph, folder: Path) -> FloatRun:
    """The run of `traced` with the programs of `module` in the place of a module."""
    write_exported(export_model(module, 32), folder)
    graph = FixNumerics()(traced.graph)
    weights = weights_of(module, graph, 32)
    model = lazy_model(folder, 32)
    return float_run(model, graph, weights, traced.tables, last_tokens=PREFILL_TOKENS)


def test_exported_programs_are_compared_as_a_module_is(tmp_path: Path) -> None:
    module = tiny_llama()
    run = exported_run(module, decode_graph(module, name="tiny", context=32), tmp_path)
    line = closing_line(run, *checked(run, {}))
    assert line.startswith("the graph is the model within ")
    assert "21 tokens from position 0, 3 from 29" in line


def test_a_program_that_the_graph_is_not_is_found_with_its_op(tmp_path: Path) -> None:
    traced = decode_graph(with_ffn(torch.relu), name="tiny", context=32)
    run = exported_run(with_ffn(torch.nn.functional.silu), traced, tmp_path)
    with pytest.raises(
        StbuildError,
        match=r"the logits of 3 tokens from position 29 on .* differs is Map 'relu' in layers\.0\.mlp",
    ):
        checked(run, {})


def test_the_measure_of_accuracy_runs_programs_as_it_runs_a_module(tmp_path: Path) -> None:
    module = tiny_llama()
    traced = decode_graph(module, name="tiny", context=32)
    run = exported_run(module, traced, tmp_path)
    own = ModuleRun(module=module, context=16)
    tokens = tuple(range(1, 14))
    by_programs, by_module = (
        float_logits(model, traced.graph, run.weights)(tokens) for model in (run.model(), own)
    )
    assert by_module.shape == (13, 64)
    torch.testing.assert_close(by_programs, by_module, rtol=1e-4, atol=1e-4)
