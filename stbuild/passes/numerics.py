"""Fixes the arithmetic: fraction bits, quantise and rescale nodes, integer tables and factors."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.fixed import affine_integers, map_integers
from stbuild.ir.formats import USUAL, Formats, check_names
from stbuild.ir.graph import (
    Add,
    AddParam,
    Affine,
    AnyOp,
    Attention,
    Block,
    Concat,
    Graph,
    Linear,
    Map,
    MulParam,
    Quantize,
    Rescale,
    Rotary,
    Slice,
)  # fmt: skip
from stbuild.ir.types import ACTIVATION_FRAC
from stbuild.ir.values import Shape
from stbuild.passes.numerics_checks import check_formats, check_graph
from stbuild.passes.residual import ANY_FRAC, residual_values

_FREE = (*ANY_FRAC, Rotary, Attention)
"""Ops whose fraction bits a project may choose. A rotary embedding and attention read operands (attention
only its values) of the same bits; the others take those of what they read."""


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
    """Builds the ops of one block anew, in order; `shapes` are those of the values so far."""

    block: Block
    frac_out: int
    formats: Formats
    shapes: dict[str, Shape] = field(default_factory=dict)
    ops: list[AnyOp] = field(default_factory=list)

    def rewrite(self, flow: tuple[Shape, ...]) -> Block:
        self.shapes.update(zip(self.block.inputs, flow, strict=True))
        carried = residual_values(self.block)
        for op in self.block.ops:
            usual = self.frac_out if op.name in carried else ACTIVATION_FRAC
            self._add(self._fixed(op, self.formats.values.get(f"{self.block.name}/{op.name}", usual)))
        outputs = tuple(self._rescaled(name, self.frac_out) for name in self.block.outputs)
        return replace(self.block, ops=tuple(self.ops), outputs=outputs)

    def _fixed(self, op: AnyOp, frac: int) -> AnyOp:
        """`op` with `frac` fraction bits where it can have them, its operands made to fit."""
        match op:
            case Linear():
                return replace(op, frac=frac, x=self._quantised(op.x))
            case Add():
                return replace(op, frac=frac, a=self._rescaled(op.a, frac), b=self._rescaled(op.b, frac))
            case AddParam():
                return replace(op, frac=frac, x=self._rescaled(op.x, frac))
            case MulParam():
                bits = self.formats.parameters.get(f"{self.block.name}/{op.name}", op.param_frac)
                return replace(op, frac=frac, param_frac=bits)
            case Map():
                return _with_table(replace(op, frac=frac, x=self._rescaled(op.x, ACTIVATION_FRAC)))
            case Affine():
                return _with_integers(replace(op, frac=frac))
            case Slice():
                return replace(op, frac=self.shapes[op.x].frac)
            case Concat():
                return self._concat(op)
            case Rotary():
                return replace(op, frac=frac, x=self._rescaled(op.x, frac))
            case Attention():
                q, k = (self._rescaled(name, ACTIVATION_FRAC) for name in (op.q, op.k))
                return replace(op, frac=frac, q=q, k=k, v=self._rescaled(op.v, frac))
            case _:
                return replace(op, frac=frac)

    def _concat(self, op: Concat) -> Concat:
        fracs = {self.shapes[part].frac for part in op.parts}
        frac = fracs.pop() if len(fracs) == 1 else ACTIVATION_FRAC
        return replace(op, frac=frac, parts=tuple(self._rescaled(part, frac) for part in op.parts))

    def _quantised(self, name: str) -> str:
        shape = self.shapes[name]
        return self._once(Quantize(name=f"{name}_q", width=shape.width, frac=shape.frac, x=name))

    def _rescaled(self, name: str, frac: int) -> str:
        shape = self.shapes[name]
        if shape.frac == frac:
            return name
        return self._once(Rescale(name=f"{name}_f{frac}", width=shape.width, frac=frac, x=name))

    def _once(self, op: Quantize | Rescale) -> str:
        if op.name not in self.shapes:
            self._add(op)
        return op.name

    def _add(self, op: AnyOp) -> None:
        self.ops.append(op)
        self.shapes[op.name] = Shape(width=op.width, frac=op.frac)


def free_values(graph: Graph) -> set[str]:
    """The values whose bits may be chosen; logits have those that the sampler reads."""
    logits = {(graph.blocks[-1].name, name) for name in graph.blocks[-1].outputs}
    places = ((block.name, op.name) for block in graph.blocks for op in block.ops if isinstance(op, _FREE))
    return {f"{block}/{name}" for block, name in places if (block, name) not in logits}


def _free_parameters(graph: Graph) -> set[str]:
    return {f"{b.name}/{op.name}" for b in graph.blocks for op in b.ops if isinstance(op, MulParam)}


def _with_table(op: Map) -> Map:
    try:
        bases, slopes = map_integers(op.samples, op.frac)
    except ValueError as error:
        raise StbuildError(
            f"the function {op.function!r} cannot be tabulated on [-16, 16]: {error}",
            where=op.origin or None,
            hint="choose an activation whose values 32 bits can hold",
        ) from None
    return replace(op, bases=bases, slopes=slopes)


def _with_integers(op: Affine) -> Affine:
    multiplier, shift, addend = affine_integers(op.scale, op.offset, op.frac)
    return replace(op, multiplier=multiplier, shift=shift, addend=addend)
