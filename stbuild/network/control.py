"""The programs of `control`: what its readers send from memory, and what its writers take to it."""

from collections.abc import Iterator

from stbuild.ir.design import Design, Process, StreamKind
from stbuild.ir.plumbing import ReadKv, ReadParams, ReadWeights, Sequence, WriteKv, WriteWords
from stbuild.ir.program import Launch, Program, Repeat, Write, reads, run_lengths, writes

Node = Repeat | Write


def control_program(process: Process, design: Design, launch: Launch) -> Program:
    """The program of a process of `control`."""
    op = process.op
    match op:
        case Sequence():
            return tuple(_sequence(process, op, design, launch))
        case ReadParams():
            return tuple(_read_params(process, op, design))
        case ReadWeights():
            return (writes(process.writes[0], op.body_words + (op.head_words if launch.head else 0)),)
        case ReadKv():
            return _older_records(process, op, design, launch)
        case WriteKv():
            run = reads(process.reads[0], launch.tokens * op.record_words)
            return (Repeat(design.blocks[op.block].count, (run,), runs_of=op.block),)
        case WriteWords():
            return (reads(process.reads[0], op.words if launch.head else 0),)
        case _:
            raise TypeError(f"{type(op).__name__} is not a process of control")


def _older_records(process: Process, op: ReadKv, design: Design, launch: Launch) -> Program:
    records = [op.records(run, launch.position) for run in range(design.blocks[op.block].count)]
    return tuple(
        Repeat(runs, (writes(process.writes[0], count * op.record_words),), runs_of=op.block)
        for count, runs in run_lengths(records)
    )


def _sequence(process: Process, op: Sequence, design: Design, launch: Launch) -> Iterator[Node]:
    """Commands; then, for every run of a block, rows of tables, other rows token by token, descriptors."""
    commands, streams, descriptors = (
        [name for name in process.writes if design.stream(name).kind is kind]
        for kind in (StreamKind.COMMAND, StreamKind.ROWS, StreamKind.DESCRIPTOR)
    )
    yield from (Write((name,)) for name in commands)
    for number, block in enumerate(design.blocks):
        if block.head and not launch.head:
            continue
        tokens = 1 if block.head else launch.tokens
        pairs = [p for p in zip(op.rows, streams, strict=True) if p[0].block == number]
        tables = tuple(writes(stream, tokens * row.words) for row, stream in pairs if row.in_one)
        rows = tuple(writes(stream, row.words) for row, stream in pairs if not row.in_one)
        ops = tuple(writes(s, design.block_ops(engine, number)) for engine, s in enumerate(descriptors))
        run = (*tables, Repeat(tokens, rows), *ops)
        yield Repeat(block.count, run, runs_of=number)
    yield from (Write((stream,)) for stream in descriptors)


def _read_params(process: Process, op: ReadParams, design: Design) -> Iterator[Node]:
    """Parameters of every run, also of the last block when the head does not run."""
    for number, block in enumerate(design.blocks):
        pairs = zip(op.reads, process.writes, strict=True)
        sent = tuple(writes(stream, read.words) for read, stream in pairs if read.block == number)
        yield Repeat(block.count, sent, runs_of=number)
