"""The programs of `control`: what its readers send from memory, and what its writers take to it."""

from collections.abc import Iterator

from stbuild.ir.design import (
    Design,
    Process,
    ReadKv,
    ReadParams,
    ReadWeights,
    RowRead,
    Sequence,
    WriteKv,
    WriteWords,
)  # fmt: skip
from stbuild.network.program import Launch, Program, Repeat, Write, reads, writes

Node = Repeat | Write


def control_program(process: Process, design: Design, launch: Launch) -> Program:
    """The program of a process of `control`."""
    op = process.op
    match op:
        case Sequence():
            return tuple(_sequence(process, op, design, launch))
        case ReadParams():
            return tuple(_read_params(op, design))
        case ReadWeights():
            return (writes(process.writes[0], op.body_words + (op.head_words if launch.head else 0)),)
        case ReadKv():
            return _records(writes(process.writes[0], launch.position * op.record_words), op.block, design)
        case WriteKv():
            return _records(reads(process.reads[0], launch.tokens * op.record_words), op.block, design)
        case WriteWords():
            return (reads(process.reads[0], op.words if launch.head else 0),)
        case _:
            raise TypeError(f"{type(op).__name__} is not a process of control")


def _records(run: Repeat, block: int, design: Design) -> Program:
    return (Repeat(design.blocks[block].count, (run,), runs_of=block),)


def _sequence(process: Process, op: Sequence, design: Design, launch: Launch) -> Iterator[Node]:
    """Commands; then, for every run of a block, its rows, token by token, and its descriptors."""
    for name in process.writes:
        if design.stream(name).command:
            yield Write((name,))
    for number, block in enumerate(design.blocks):
        if block.head and not launch.head:
            continue
        rows = tuple(r for r in op.rows if r.block == number)
        ops = sum(matmul.block == number for matmul in design.matmuls)
        run = (_rows(rows, 1 if block.head else launch.tokens), writes("desc", ops))
        yield Repeat(block.count, run, runs_of=number)
    yield Write(("desc",))


def _rows(rows: tuple[RowRead, ...], tokens: int) -> Repeat:
    """The rows of each token in turn."""
    return Repeat(tokens, tuple(writes(row.stream, row.words) for row in rows))


def _read_params(op: ReadParams, design: Design) -> Iterator[Node]:
    """Parameters of every run, also of the last block when the head does not run."""
    for number, block in enumerate(design.blocks):
        sent = tuple(writes(r.stream, r.words) for r in op.reads if r.block == number)
        yield Repeat(block.count, sent, runs_of=number)
