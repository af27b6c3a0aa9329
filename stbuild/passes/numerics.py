"""Fixes the arithmetic: fraction bits, quantise and rescale nodes, integer tables and factors."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.types import ACTIVATION_FRAC, RESIDUAL_FRAC
from stbuild.ir.values import Shape
from stbuild.ops.quantize import Quantize
from stbuild.ops.rescale import Rescale
from stbuild.passes.numerics_checks import check_graph
from stbuild.passes.residual import residual_values


@dataclass(frozen=True, kw_only=True)
class FixNumerics:
    """Decide every number format (docs/numerics.md); no later pass changes a value.

    Values carried between block runs and the sums that make them get `residual_frac` fraction bits,
    all others 16. Raises StbuildError for a graph that the arithmetic does not hold.
    """

    name: ClassVar[str] = "fix-numerics"
    residual_frac: int = RESIDUAL_FRAC

    def __call__(self, graph: Graph) -> Graph:
        """The same graph with all formats explicit."""
        check_graph(graph)
        blocks: list[Block] = []
        flow: tuple[Shape, ...] = ()
        for block in graph.blocks:
            last = block is graph.blocks[-1]
            rewriter = _Rewriter(block=block, frac_out=ACTIVATION_FRAC if last else self.residual_frac)
            blocks.append(rewriter.rewrite(flow))
            flow = tuple(rewriter.shapes[name] for name in blocks[-1].outputs)
        return replace(graph, blocks=tuple(blocks))


@dataclass(kw_only=True)
class _Rewriter:
    """Builds the ops of one block anew, in order; `shapes` are those of the values so far (`Formats`)."""

    block: Block
    frac_out: int
    shapes: dict[str, Shape] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def rewrite(self, flow: tuple[Shape, ...]) -> Block:
        self.shapes.update(zip(self.block.inputs, flow, strict=True))
        carried = residual_values(self.block)
        for op in self.block.ops:
            frac = self.frac_out if op.name in carried else ACTIVATION_FRAC
            self._add(op.fixed(frac, self))
        outputs = tuple(self.rescaled(name, self.frac_out) for name in self.block.outputs)
        return replace(self.block, ops=tuple(self.ops), outputs=outputs)

    def frac(self, name: str) -> int:
        """The fraction bits of a value."""
        return self.shapes[name].frac

    def quantised(self, name: str) -> str:
        """The value in 8 bits."""
        shape = self.shapes[name]
        return self._once(Quantize(name=f"{name}_q", width=shape.width, frac=shape.frac, x=name))

    def rescaled(self, name: str, frac: int) -> str:
        """The value with `frac` fraction bits."""
        shape = self.shapes[name]
        if shape.frac == frac:
            return name
        return self._once(Rescale(name=f"{name}_f{frac}", width=shape.width, frac=frac, x=name))

    def _once(self, op: Quantize | Rescale) -> str:
        if op.name not in self.shapes:
            self._add(op)
        return op.name

    def _add(self, op: Op) -> None:
        self.ops.append(op)
        self.shapes[op.name] = Shape(width=op.width, frac=op.frac)
