"""A model against its graph in floats and in integers, as the build's own check does it, in process."""

from torch import nn

from stbuild.chain.float_report import checked
from stbuild.chain.float_run import FloatRun, Outcome, float_run
from stbuild.frontend.model_graph import ModelGraph, decode_graph
from stbuild.frontend.module_run import ModuleRun
from stbuild.ir.formats import USUAL, Formats
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.agreement import Agreement
from stbuild.steps.trace import source_lines
from tests.module_weights import weights_of


def run_of(
    model: nn.Module, traced: ModelGraph | None = None, *, context: int = 32, formats: Formats = USUAL,
    forked: bool = False,
) -> FloatRun:  # fmt: skip
    """The run of `model` with its own weights, rounded for the card in groups of 32."""
    traced = traced or decode_graph(model, name="tiny", context=context)
    graph = FixNumerics(formats=formats)(traced.graph)
    own = ModuleRun(module=model, context=context)
    return float_run(lambda: own, graph, weights_of(model, graph, 32), traced.tables, forked=forked)


def float_check(
    model: nn.Module, traced: ModelGraph | None = None, *, context: int = 32, formats: Formats = USUAL
) -> tuple[Agreement, Outcome]:
    """What the check finds; raises as the build does."""
    run = run_of(model, traced, context=context, formats=formats)
    return checked(run, source_lines(run.graph))
