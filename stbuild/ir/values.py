"""Width and fraction bits of every value of a graph, block inputs among them."""

from collections.abc import Mapping
from dataclasses import dataclass

from stbuild.ir.graph import Block, Graph


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A value's elements per token and their fraction bits."""

    width: int
    frac: int


def block_shapes(graph: Graph) -> Mapping[str, Mapping[str, Shape]]:
    """For each block, the shape of each value that its ops may read, by name."""
    result: dict[str, Mapping[str, Shape]] = {}
    flow: tuple[Shape, ...] = ()
    for block in graph.blocks:
        shapes = shapes_in(block, flow)
        result[block.name] = shapes
        flow = tuple(shapes[name] for name in block.outputs)
    return result


def shapes_in(block: Block, inputs: tuple[Shape, ...]) -> Mapping[str, Shape]:
    """The shapes of the values of `block`, whose inputs are shaped like `inputs`."""
    shapes = dict(zip(block.inputs, inputs, strict=True))
    return shapes | {op.name: Shape(width=op.width, frac=op.frac) for op in block.ops}
