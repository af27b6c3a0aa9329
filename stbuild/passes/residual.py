"""Finds the residual stream: values carried between block runs, and the sums that make them."""

from stbuild.ir.graph import Block


def residual_values(block: Block) -> frozenset[str]:
    """The values made in `block` that take the residual stream's fraction bits directly."""
    ops = {op.name: op for op in block.ops}
    found: set[str] = set()
    pending = [name for name in block.outputs if name in ops]
    while pending:
        op = ops[pending.pop()]
        if op.name in found or not op.any_frac:
            continue
        found.add(op.name)
        pending += [name for field in op.summands if (name := getattr(op, field)) in ops]
    return frozenset(found)
