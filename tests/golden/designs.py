"""Designs made without weights: their formats come from what the graph wants of a checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from stbuild.codegen.connectivity import connectivity_cfg
from stbuild.codegen.kernels import kernel_files
from stbuild.codegen.system import system_file
from stbuild.frontend.model_file import load_model
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.synthetic_weights import SyntheticWeights
from stbuild.frontend.weights import index_of, uses_of
from stbuild.ir.design import Design
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.param import Param
from stbuild.ir.weights import WeightIndex
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.report import design_report
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import platform

PROJECTS = Path(__file__).resolve().parents[2] / "projects"
TRACED_LAYERS = 2


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A graph in fixed point, its design for a card, and the texts that follow from them."""

    graph: Graph
    design: Design
    card: str

    @staticmethod
    def of(graph: Graph, card: str, *, group: int = 32, **overrides: int) -> "Planned":
        """The design of a traced graph whose matrices have groups of `group` columns."""
        fixed = FixNumerics()(graph)
        design = plan(fixed, synthetic_index(fixed, group), platform(card), SizeOverrides(**overrides))
        return Planned(graph=fixed, design=design, card=card)

    @property
    def cfg(self) -> str:
        """The linker's configuration."""
        return connectivity_cfg(self.design, platform(self.card))

    @property
    def report(self) -> str:
        """The design in words."""
        return design_report(self.design, platform(self.card))

    @property
    def cxx(self) -> dict[str, str]:
        """The C++ of every kernel and of the network, by file name."""
        files = {f"{name}.cpp": text for name, text in kernel_files(self.design).items()}
        return files | {"system.cpp": system_file(self.design)}


def synthetic_index(fixed: Graph, group: int) -> WeightIndex:
    """The index of synthetic weights for a graph in fixed point."""
    return index_of(fixed, SyntheticWeights.of(uses_of(fixed, group)))


def traced(model: nn.Module, name: str, context: int = 32) -> Graph:
    """The graph of a model."""
    return decode_graph(model, name=name, context=context).graph


def project_graph(project: str, context: int = 2048) -> Graph:
    """The graph of a project's model: its first layers are traced, and stand for all of them."""
    module = load_model(PROJECTS / project / "model.py").module
    config: Any = module.config
    layers: int = config.num_hidden_layers
    for owner in list(module.modules()):
        for name, children in owner.named_children():
            if isinstance(children, nn.ModuleList) and len(children) == layers:
                setattr(owner, name, children[:TRACED_LAYERS])
    config.num_hidden_layers = TRACED_LAYERS
    return with_layers(traced(module, project, context), layers)


def with_layers(graph: Graph, layers: int) -> Graph:
    """`graph` with its repeated block run `layers` times, on the parameters of as many layers."""
    return replace(graph, blocks=tuple(b if b.count == 1 else _repeated(b, layers) for b in graph.blocks))


def _repeated(block: Block, layers: int) -> Block:
    return replace(block, count=layers, ops=tuple(_op_of_layers(op, layers) for op in block.ops))


def _op_of_layers(op: Op, layers: int) -> Op:
    changes: dict[str, Any] = {field: _param_of_layers(param, layers) for field, param in op.params}
    return replace(op, **changes) if changes else op


def _param_of_layers(param: Param, layers: int) -> Param:
    first = param.names[0]
    assert ".0." in first
    return replace(param, names=tuple(first.replace(".0.", f".{i}.", 1) for i in range(layers)))
