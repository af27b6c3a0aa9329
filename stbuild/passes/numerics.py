"""Fixes the arithmetic: fraction bits, quantise and rescale nodes, integer tables and factors."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from stbuild.ir.formats import USUAL, Formats, check_names
from stbuild.ir.graph import Block, Graph
from stbuild.ir.op import Op
from stbuild.ir.types import ACTIVATION_FRAC
from stbuild.ir.values import Shape
from stbuild.ops.mul_param import MulParam
from stbuild.ops.quantize import Quantize
from stbuild.ops.rescale import Rescale
from stbuild.passes.numerics_checks import check_formats, check_graph
from stbuild.passes.residual import residual_values


@dataclass(frozen=True, kw_only=True)
class FixNumerics:
    """Decide every number format (docs/numerics.md); no later pass changes a value.

    Values carried between block runs and the sums that make them get the residual stream's fraction bits,
    all others 16, but for those that `formats` (of the file `where`) names. No weight takes part. Raises
    StbuildError for a graph that the arithmetic does not hold.
    """

    name: ClassVar[str] = "fix-numerics"
    formats: Formats = USUAL
    where: str | None = None

    def __call__(self, graph: Graph) -> Graph:
        """The same graph with all formats explicit."""
        check_graph(graph)
        check_names("values", self.formats.values, free_values(graph), self.where)
        check_names("parameters", self.formats.parameters, _free_parameters(graph), self.where)
        blocks: list[Block] = []
        flow: tuple[Shape, ...] = ()
        for block in graph.blocks:
            last = block is graph.blocks[-1]
            frac_out = ACTIVATION_FRAC if last else self.formats.residual
            rewriter = _Rewriter(block=block, frac_out=frac_out, formats=self.formats)
            blocks.append(rewriter.rewrite(flow))
            flow = tuple(rewriter.shapes[name] for name in blocks[-1].outputs)
        fixed = replace(graph, blocks=tuple(blocks))
        check_formats(fixed)
        return fixed


@dataclass(kw_only=True)
class _Rewriter:
    """Rebuilds the ops of one block, in order; `shapes` are those of the values so far (`Values`)."""

    block: Block
    frac_out: int
    formats: Formats
    shapes: dict[str, Shape] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def rewrite(self, flow: tuple[Shape, ...]) -> Block:
        self.shapes.update(zip(self.block.inputs, flow, strict=True))
        carried = residual_values(self.block)
        for op in self.block.ops:
            usual = self.frac_out if op.name in carried else ACTIVATION_FRAC
            self._add(op.fixed(self.formats.values.get(f"{self.block.name}/{op.name}", usual), self))
        outputs = tuple(self.rescaled(name, self.frac_out) for name in self.block.outputs)
        return replace(self.block, ops=tuple(self.ops), outputs=outputs)

    def frac(self, name: str) -> int:
        """The fraction bits of a value."""
        return self.shapes[name].frac

    def param_frac(self, op: str, usual: int) -> int:
        """The fraction bits that the project chooses for the parameter of `op`, else the usual ones."""
        return self.formats.parameters.get(f"{self.block.name}/{op}", usual)

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


def is_free(op: Op) -> bool:
    """Whether a project may choose the op's fraction bits; else it takes those of what it reads."""
    return op.any_frac or op.chosen_frac


def free_values(graph: Graph) -> set[str]:
    """The values whose bits may be chosen; logits have those that the sampler reads."""
    logits = {(graph.blocks[-1].name, name) for name in graph.blocks[-1].outputs}
    places = ((block.name, op.name) for block in graph.blocks for op in block.ops if is_free(op))
    return {f"{block}/{name}" for block, name in places if (block, name) not in logits}


def _free_parameters(graph: Graph) -> set[str]:
    return {f"{b.name}/{op.name}" for b in graph.blocks for op in b.ops if isinstance(op, MulParam)}
