"""A model against its graph in floats and in integers, as the build's own check does it, in process."""

from torch import nn

from stbuild.frontend.float_weights import weights_of
from stbuild.frontend.model_graph import ModelGraph, decode_graph
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.agreement import Agreement
from stbuild.stage.float_check import checked
from stbuild.stage.float_run import FloatRun, Outcome, float_run
from stbuild.stage.trace import source_lines


def run_of(model: nn.Module, traced: ModelGraph | None = None, *, context: int = 32) -> FloatRun:
    """The run of `model` with its own weights, rounded for the card in groups of 32."""
    traced = traced or decode_graph(model, name="tiny", context=context)
    graph = FixNumerics()(traced.graph)
    return float_run(model, graph, weights_of(model, graph, 32), traced.tables)


def float_check(
    model: nn.Module, traced: ModelGraph | None = None, *, context: int = 32
) -> tuple[Agreement, Outcome]:
    """What the check finds; raises as the build does."""
    run = run_of(model, traced, context=context)
    return checked(run, source_lines(run.graph))
