"""Small designs for the tests of passes, from graphs written by hand: neither torch.export nor a compiler."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from stbuild.ir.design import Design
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.param import Param
from stbuild.ir.renaming import Renaming, renamed
from stbuild.ir.weights import FLOAT_BITS, WeightFormat, WeightIndex
from stbuild.ops.linear import Linear
from stbuild.passes.network import build_network
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import design_passes
from stbuild.passes.sizes import SizeOverrides, choose_sizes, largest_engine
from tests.accelerator import platform
from tests.reference.small import Variant, small_graph

FEW = SizeOverrides(channels=4, lanes=2, chunk=4)
"""Sizes of small designs."""


@cache
def graph_of(variant: Variant) -> Graph:
    """A small model in fixed point."""
    return FixNumerics()(small_graph(variant)[0])


def index_of(graph: Graph, group: int = 32) -> WeightIndex:
    """4-bit matrices in groups of `group` columns, and whatever else the graph needs."""
    formats: dict[str, WeightFormat] = {}
    for block in graph.blocks:
        for op in block.ops:
            for _, param in op.params:
                formats.update(dict.fromkeys(param.names, _format(param, isinstance(op, Linear), group)))
    return WeightIndex(formats=formats, source="none")


def network_of(graph: Graph, card: str = "u55c", overrides: SizeOverrides = FEW) -> Design:
    """The network of a graph in fixed point, before any pass on designs."""
    engines = (largest_engine(platform(card), overrides, graph.context),)
    sizes = choose_sizes(graph, platform(card), engines)
    return build_network(graph, index_of(graph), sizes, engines, card)


def finished(network: Design) -> Design:
    """`network` after all passes."""
    for step in design_passes(platform(network.platform)):
        network = step(network)
    return network


def design_of(variant: Variant, card: str = "u55c") -> Design:
    """The design of a small model."""
    return finished(network_of(graph_of(variant), card))


def with_names(design: Design, name: Callable[[str, int], str], *, regions: bool = False) -> Design:
    """`design` with `name(kind, number)` for every kernel, process and stream, perhaps for every region."""
    units = [u for k in design.kernels for u in k.units]
    ports = [r.port for r in design.regions]

    def new(kind: str, old: Iterable[str]) -> dict[str, str]:
        return {each: name(kind, number) for number, each in enumerate(dict.fromkeys(old))}

    return renamed(
        design,
        Renaming(
            kernels=new("kernel", [*(k.name for k in design.kernels), *units]),
            processes=new("process", (p.name for p in design.processes)),
            streams=new("stream", (s.name for s in design.streams)),
            regions=new("region", (r.name for r in design.regions)) if regions else {},
            ports=new("port", ports) if regions else {},
        ),
    )


def without_names(design: Design) -> Design:
    """`design` with the number of each kernel, process and stream as its name."""
    return with_names(design, lambda kind, number: f"{kind} {number}")


def with_op_names(graph: Graph, name: Callable[[int], str]) -> Graph:
    """`graph` with `name(number)` for every value, block inputs among them."""
    return replace(graph, blocks=tuple(_block(block, name) for block in graph.blocks))


def _format(param: Param, matrix: bool, group: int) -> WeightFormat:
    return WeightFormat(shape=param.shape, bits=4 if matrix else FLOAT_BITS, group=group if matrix else 0)


def _block(block: Block, name: Callable[[int], str]) -> Block:
    values = [*block.inputs, *(op.name for op in block.ops)]
    names = {value: name(number) for number, value in enumerate(values)}
    return replace(
        block,
        inputs=tuple(names[v] for v in block.inputs),
        outputs=tuple(names[v] for v in block.outputs),
        ops=tuple(_op(op, names) for op in block.ops),
    )


def _op(op: Op, names: dict[str, str]) -> Op:
    return replace(op.reading(names), name=names[op.name])
