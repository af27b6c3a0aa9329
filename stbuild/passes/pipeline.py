"""The passes from a graph in fixed point to a placed design, in their order."""

from collections.abc import Callable

from stbuild.ir.design import Design
from stbuild.ir.graph import Graph
from stbuild.ir.weights import WeightIndex
from stbuild.passes.deadlocks import ProveFifos
from stbuild.passes.fifos import SizeFifos
from stbuild.passes.network import build_network
from stbuild.passes.place import PlaceKernels, PlaceMemory
from stbuild.passes.segments import FormKernels
from stbuild.passes.sizes import Wishes, choose_engine, choose_sizes
from stbuild.platform import Platform

Pass = Callable[[Design], Design]


def design_passes(platform: Platform) -> tuple[Pass, ...]:
    """Every pass on a design, in order."""
    return (
        FormKernels(),
        SizeFifos(),
        ProveFifos(platform=platform),
        PlaceMemory(platform=platform),
        PlaceKernels(platform=platform),
    )


def plan(graph: Graph, index: WeightIndex, platform: Platform, wishes: Wishes) -> Design:
    """The design of `graph` (after the numerics pass) with the weights of `index` on `platform`.

    Raises StbuildError when a weight is missing, or the model does not fit the card.
    """
    engine = choose_engine(platform, wishes)
    design = build_network(graph, index, choose_sizes(graph, platform, engine), engine, platform.name)
    for step in design_passes(platform):
        design = step(design)
    return design
