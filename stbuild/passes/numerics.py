"""Fixes the arithmetic: fraction bits, quantise and rescale nodes, integer tables and factors."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.fixed import affine_integers, map_integers
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
    Quantize,
    Rescale,
    Rotary,
    Slice,
)  # fmt: skip
from stbuild.ir.types import ACTIVATION_FRAC, RESIDUAL_FRAC
from stbuild.ir.values import Shape
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
    """Builds the ops of one block anew, in order; `shapes` are those of the values so far."""

    block: Block
    frac_out: int
    shapes: dict[str, Shape] = field(default_factory=dict)
    ops: list[AnyOp] = field(default_factory=list)

    def rewrite(self, flow: tuple[Shape, ...]) -> Block:
        self.shapes.update(zip(self.block.inputs, flow, strict=True))
        carried = residual_values(self.block)
        for op in self.block.ops:
            self._add(self._fixed(op, self.frac_out if op.name in carried else ACTIVATION_FRAC))
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
            case Map():
                return _with_table(replace(op, frac=frac, x=self._rescaled(op.x, ACTIVATION_FRAC)))
            case Affine():
                return _with_integers(replace(op, frac=frac))
            case Slice():
                return replace(op, frac=self.shapes[op.x].frac)
            case Concat():
                return self._concat(op)
            case Rotary():
                return replace(op, frac=ACTIVATION_FRAC, x=self._rescaled(op.x, ACTIVATION_FRAC))
            case Attention():
                q, k, v = (self._rescaled(name, ACTIVATION_FRAC) for name in (op.q, op.k, op.v))
                return replace(op, frac=ACTIVATION_FRAC, q=q, k=k, v=v)
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
