"""The readers of each value of a graph, also in other blocks."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.errors import StbuildError
from stbuild.ir.graph import Block, Graph
from stbuild.ops.linear import Linear
from stbuild.ops.quantize import Quantize


@dataclass(frozen=True, kw_only=True)
class ToOp:
    """Operand `slot` of op `op` in block `block`."""

    block: int
    op: str
    slot: int


@dataclass(frozen=True, kw_only=True)
class ToEngine:
    """The matmul engine, which takes the quantised value once for all linear ops that read it."""

    block: int
    value: str


@dataclass(frozen=True, kw_only=True)
class ToBoundary:
    """Carried value `slot` on its way out of `block`: a loop tail, a head's gate, or the logits."""

    block: int
    slot: int


@dataclass(frozen=True, kw_only=True)
class ToTable:
    """The position rows that op `op` of block `block` reads once per launch."""

    block: int
    op: str


End = ToOp | ToEngine | ToBoundary | ToTable


def head_index(graph: Graph) -> int:
    """The block that runs for the last token only: the one with the logits."""
    index = len(graph.blocks) - 1
    block = graph.blocks[index]
    bound = [op.name for op in block.ops if op.by_position]
    if index == 0 or block.count != 1 or bound:
        raise StbuildError(
            f"the last block of {graph.name!r} must hold only ops on single tokens"
            + (f", but has {bound[0]!r}" if bound else ""),
            hint="end the model with a final norm and an LM head behind the decoder layers",
        )
    return index


def loops(block: Block) -> bool:
    """Whether a block has a loop head and tail."""
    return block.count > 1


def is_gated(graph: Graph, block: int) -> bool:
    """Whether values enter `block` through a process (a loop head or the head's gate)."""
    return loops(graph.blocks[block]) or block == head_index(graph)


def ends_of(graph: Graph, block: int, value: str) -> tuple[End, ...]:
    """All ends of the edge that `value` of `block` starts, in a fixed order."""
    return tuple(_ends(graph, block, value))


def _ends(graph: Graph, index: int, value: str) -> Iterator[End]:
    block = graph.blocks[index]
    engine = False
    for op in block.ops:
        for slot, operand in enumerate(op.operands):
            if operand != value:
                continue
            if not isinstance(op, Linear):
                yield ToOp(block=index, op=op.name, slot=slot)
            elif not engine:
                engine = True
                yield ToEngine(block=index, value=value)
    for slot, output in enumerate(block.outputs):
        if output == value:
            yield from _leaving(graph, index, slot)


def _leaving(graph: Graph, index: int, slot: int) -> Iterator[End]:
    last = index == len(graph.blocks) - 1
    if last or loops(graph.blocks[index]) or is_gated(graph, index + 1):
        yield ToBoundary(block=index, slot=slot)
        return
    yield from _ends(graph, index + 1, graph.blocks[index + 1].inputs[slot])


def quantised_sources(block: Block) -> tuple[str, ...]:
    """The quantised values that linear ops of `block` read, in the order of the schedule."""
    seen: dict[str, None] = {}
    kinds = {op.name: op for op in block.ops}
    for op in block.ops:
        if isinstance(op, Linear):
            if not isinstance(kinds.get(op.x), Quantize):
                raise StbuildError(f"linear {op.name!r} reads {op.x!r}, which is not quantised in its block")
            seen.setdefault(op.x)
    return tuple(seen)
