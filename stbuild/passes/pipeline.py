"""The passes from a graph in fixed point to a placed design, in their order."""

from collections.abc import Callable, Mapping

from stbuild.ir.design import Design
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.ir.weights import WeightIndex
from stbuild.passes.bind_fifos import BindFifos
from stbuild.passes.choose_engine import EngineChoice
from stbuild.passes.deadlocks import ProveFifos
from stbuild.passes.fifos import SizeFifos
from stbuild.passes.join_params import JoinParams
from stbuild.passes.network import build_network
from stbuild.passes.place import PlaceMemory
from stbuild.passes.place_kernels import PlaceKernels
from stbuild.passes.segments import FormKernels
from stbuild.passes.set_depths import SetDepths
from stbuild.passes.sizes import SizeOverrides, choose_sizes
from stbuild.platform import Platform
from stbuild.resources.fit import fit_of
from stbuild.resources.usage import usage_of

Pass = Callable[[Design], Design]


def design_passes(platform: Platform, depths: Mapping[str, int] | None = None) -> tuple[Pass, ...]:
    """Every pass on a design, in order; `depths` are those that a project sets by hand.

    Memory comes first: a model that is too large for it is told so, and not that some FIFO is too deep.
    """
    given = depths or {}
    return (
        FormKernels(),
        JoinParams(),
        PlaceMemory(platform=platform),
        SizeFifos(),
        SetDepths(depths=given),
        ProveFifos(platform=platform, given=frozenset(given)),
        BindFifos(platform=platform),
        PlaceKernels(platform=platform),
    )


def plan(
    graph: Graph,
    index: WeightIndex,
    platform: Platform,
    overrides: SizeOverrides,
    depths: Mapping[str, int] | None = None,
) -> Design:
    """The design of `graph` (after the numerics pass) with the weights of `index` on `platform`.

    `depths` are words of FIFOs by the names of their streams. Raises StbuildError when a weight is missing,
    or the model does not fit the card's memory. Where no engine fits the fabric, it is the largest.
    """
    choice = EngineChoice(
        graph=graph, index=index, platform=platform, overrides=overrides, depths=depths or {}
    )  # fmt: skip
    largest = choice.largest()
    for engine in choice.fitting(largest):
        design = plan_engines(graph, index, platform, (engine,), clock_mhz=overrides.clock_mhz, depths=depths)
        if fit_of(design, platform, usage_of(design, platform)).fits:
            return design
    return plan_engines(graph, index, platform, (largest,), clock_mhz=overrides.clock_mhz, depths=depths)


def plan_engines(
    graph: Graph,
    index: WeightIndex,
    platform: Platform,
    engines: tuple[Engine, ...],
    *,
    clock_mhz: int = 0,
    depths: Mapping[str, int] | None = None,
) -> Design:
    """The same on engines that are given."""
    sizes = choose_sizes(graph, platform, engines, clock_mhz)
    design = build_network(graph, index, sizes, engines, platform.name)
    for step in design_passes(platform, depths):
        design = step(design)
    return design
