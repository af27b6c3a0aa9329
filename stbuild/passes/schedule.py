"""The scheduler: the order in which the linear ops share the matmul engine."""

from collections.abc import Iterator

from stbuild.errors import StbuildError
from stbuild.ir.design import Engine, MatmulOp
from stbuild.ir.graph import Block, Graph
from stbuild.ir.types import GROUP
from stbuild.ir.weights import WeightIndex
from stbuild.ops.linear import Linear
from stbuild.ops.quantize import Quantize
from stbuild.passes.wiring import quantised_sources

GROUPS = (32, 64, 128)
"""Weight groups that a tile can have, in columns."""


def schedule_matmuls(graph: Graph, index: WeightIndex, engine: Engine) -> tuple[MatmulOp, ...]:
    """All linear ops in engine order; those that read one vector follow each other and load it once.

    Source and destination numbers count through all its ops. Tiles go on round the channels
    where the op before with the same vector stopped, so that no channel waits longer than one tile.
    """
    ops: list[MatmulOp] = []
    source = 0
    for number, block in enumerate(graph.blocks):
        for value in quantised_sources(block):
            base = 0
            for op in _readers(block, value):
                matmul = _matmul(op, block, index, number, source, len(ops), base)
                ops.append(matmul)
                base = (base + matmul.tiles) % engine.channels
            source += 1
    return tuple(ops)


def _readers(block: Block, value: str) -> Iterator[Linear]:
    return (op for op in block.ops if isinstance(op, Linear) and op.x == value)


def _matmul(op: Linear, block: Block, index: WeightIndex, number: int, source: int, destination: int,
            base: int) -> MatmulOp:  # fmt: skip
    rows, cols = op.weight.shape
    form = index.format_of(op.weight)
    _check(op, rows, cols, form.bits, form.group)
    x = block.op(op.x)
    assert isinstance(x, Quantize)
    return MatmulOp(
        name=op.name,
        block=number,
        weight=op.weight,
        rows=rows,
        cols=cols,
        bits=form.bits,
        group=form.group,
        source=source,
        destination=destination,
        load=next(_readers(block, op.x)) is op,
        base=base,
        frac_in=x.frac,
        frac_out=op.frac,
    )


def _check(op: Linear, rows: int, cols: int, bits: int, group: int) -> None:
    if cols % GROUP:
        raise StbuildError(
            f"linear {op.name!r} is {rows} x {cols}; columns must be a multiple of {GROUP}",
            where=op.origin or None,
        )
    if bits not in (4, 8) or group not in GROUPS or cols % group:
        raise StbuildError(
            f"weight {op.weight.names[0]!r} has {bits} bits in groups of {group}",
            hint=f"the engine takes 4 or 8 bits in groups of {GROUPS} that divide {cols} columns",
        )
