"""The scheduler: which engine takes each linear op and attention, and in which order they follow."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stbuild.errors import StbuildError
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Block, Graph
from stbuild.ir.packed import MatrixForm
from stbuild.ir.schedule import KvMatmul, MatmulOp
from stbuild.ir.types import GROUP
from stbuild.ir.weights import WeightIndex
from stbuild.ops.attention import Attention
from stbuild.ops.linear import Linear
from stbuild.ops.quantize import Quantize
from stbuild.passes.wiring import head_index, quantised_sources

GROUPS = (32, 64, 128)
"""Weight groups that a tile can have, in columns."""


def bind_blocks(graph: Graph, engines: tuple[Engine, ...]) -> tuple[int, ...]:
    """The engine of each block by its number; -1 for a block without linear ops and attention.

    Raises StbuildError unless each such block is taken by one engine, and each engine takes one.
    """
    head = head_index(graph)
    bound = tuple(_engine_of(block, number == head, engines) for number, block in enumerate(graph.blocks))
    for number, engine in enumerate(engines):
        if number not in bound:
            raise StbuildError(f"the engine for {engine.role.value} takes no linear op of {graph.name!r}")
    return bound


def _engine_of(block: Block, head: bool, engines: tuple[Engine, ...]) -> int:
    if not quantised_sources(block) and not any(isinstance(op, Attention) for op in block.ops):
        return -1
    found = [number for number, engine in enumerate(engines) if engine.role.takes(head=head)]
    if len(found) != 1:
        raise StbuildError(f"{len(found)} engines take the linear ops of block {block.name!r}, not one")
    return found[0]


def make_schedule(
    graph: Graph, index: WeightIndex, engines: tuple[Engine, ...], bound: tuple[int, ...]
) -> tuple[MatmulOp | KvMatmul, ...]:
    """All linear ops and attention in order; those that read one vector follow each other and load it once.

    `bound` is the engine of each block; source and destination numbers count through its ops. Tiles go on
    round its channels where the op before stopped, so that no channel has more than its share of them.
    """
    made = [_Made(engine=number, channels=engine.channels) for number, engine in enumerate(engines)]
    ops: list[MatmulOp | KvMatmul] = []
    for number, block in enumerate(graph.blocks):
        for start in _starts(block):
            engine = made[bound[number]]
            if isinstance(start, Attention):
                ops.append(engine.attention(start, number))
            else:
                ops += engine.linear(tuple(_readers(block, start)), block, index, number)
    return tuple(ops)


def _starts(block: Block) -> Iterator[str | Attention]:
    """The quantised values that linear ops read, each where it is first read, and attention between them."""
    ahead = list(quantised_sources(block))
    for op in block.ops:
        if isinstance(op, Linear) and op.x in ahead:
            ahead.remove(op.x)
            yield op.x
        elif isinstance(op, Attention):
            yield op


@dataclass(kw_only=True)
class _Made:
    """How far the schedule of an engine is made; lives only while it is."""

    engine: int
    channels: int
    sources: int = 0
    destinations: int = 0
    base: int = 0

    def linear(
        self, readers: tuple[Linear, ...], block: Block, index: WeightIndex, number: int
    ) -> Iterator[MatmulOp]:
        """The ops that read one vector."""
        for op in readers:
            matmul = _matmul(op, block, index, number, self.sources, self.destinations, self.base)
            yield replace(matmul, engine=self.engine)
            self.destinations += 1
            self.base = (self.base + matmul.tiles) % self.channels
        self.sources += 1

    def attention(self, op: Attention, number: int) -> KvMatmul:
        """An attention op."""
        made = KvMatmul(
            name=op.name, engine=self.engine, block=number, heads=op.kv,
            queries=self.sources, products=self.destinations,
            weights=self.sources + 1, sums=self.destinations + 1,
        )  # fmt: skip
        self.sources += 2
        self.destinations += 2
        return made


def _readers(block: Block, value: str) -> Iterator[Linear]:
    return (op for op in block.ops if isinstance(op, Linear) and op.x == value)


def _matmul(op: Linear, block: Block, index: WeightIndex, number: int, source: int, destination: int,
            base: int) -> MatmulOp:  # fmt: skip
    rows, cols = op.weight.shape
    form = index.format_of(op.weight)
    _check(op, rows, cols, form.form)
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
        zero_points=form.zero_points,
        source=source,
        destination=destination,
        load=next(_readers(block, op.x)) is op,
        base=base,
        frac_in=x.frac,
        frac_out=op.frac,
    )


def _check(op: Linear, rows: int, cols: int, form: MatrixForm) -> None:
    if cols % GROUP:
        raise StbuildError(
            f"linear {op.name!r} is {rows} x {cols}; columns must be a multiple of {GROUP}",
            where=op.origin or None,
        )
    if form.bits not in (4, 8) or form.group not in GROUPS or cols % form.group:
        raise StbuildError(
            f"weight {op.weight.names[0]!r} has {form}",
            hint=f"the engine takes 4 or 8 bits in groups of {GROUPS} that divide {cols} columns",
        )
