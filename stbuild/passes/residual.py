"""Finds the residual stream: values carried between block runs, and the sums that make them."""

from stbuild.ir.graph import (
    Add,
    AddParam,
    Affine,
    AnyOp,
    Block,
    Embed,
    Linear,
    Map,
    Mul,
    MulParam,
    Norm,
    PositionEmbed,
)  # fmt: skip

ANY_FRAC = (Add, AddParam, Affine, Embed, Linear, Map, Mul, MulParam, Norm, PositionEmbed)
"""Ops that can round their result to any fraction bits; the others keep those of their operands."""


def residual_values(block: Block) -> frozenset[str]:
    """The values made in `block` that take the residual stream's fraction bits directly."""
    ops = {op.name: op for op in block.ops}
    found: set[str] = set()
    pending = [name for name in block.outputs if name in ops]
    while pending:
        op = ops[pending.pop()]
        if op.name in found or not isinstance(op, ANY_FRAC):
            continue
        found.add(op.name)
        pending += [name for name in _summands(op) if name in ops]
    return frozenset(found)


def _summands(op: AnyOp) -> tuple[str, ...]:
    """The operands that must have the fraction bits of the result."""
    match op:
        case Add():
            return (op.a, op.b)
        case AddParam():
            return (op.x,)
        case _:
            return ()
