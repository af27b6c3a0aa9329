"""The parameters of a module in memory as the weights of its graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from stbuild.frontend.derived_weights import source_uses, with_derived
from stbuild.frontend.float_weights import FloatCheckpoint
from stbuild.frontend.weights import Checkpoint, Uses, uses_of
from stbuild.ir.graph import Graph


@dataclass(frozen=True, kw_only=True, eq=False)
class ModuleWeights(FloatCheckpoint):
    """The parameters of a module in memory, by name; tied ones under their first name."""

    state: Mapping[str, torch.Tensor]
    uses: Uses

    @staticmethod
    def of(module: torch.nn.Module, uses: Uses) -> "ModuleWeights":
        """The parameters of `module`."""
        state = {name: p.detach() for name, p in module.named_parameters()}
        return ModuleWeights(state=state, uses=uses)

    @property
    def source(self) -> str:
        """What the weights are."""
        return "a module in memory"

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self.state))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape as stored."""
        return tuple(self.state[name].shape)

    def tensor(self, name: str) -> torch.Tensor:
        """One parameter."""
        return self.state[name]


def weights_of(module: torch.nn.Module, graph: Graph, group: int = 128) -> Checkpoint:
    """The parameters of `module` for `graph`."""
    uses = uses_of(graph, group)
    stored = ModuleWeights.of(module, source_uses(uses, graph.derived))
    return with_derived(stored, graph.derived, uses)
