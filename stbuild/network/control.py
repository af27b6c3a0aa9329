"""The programs of `control`: what its readers send from memory, and what its writers take to it."""

from collections import defaultdict
from collections.abc import Iterator

from stbuild.ir.design import Design, Process, StreamKind
from stbuild.ir.kv import KvHeads, completed_blocks, recent_before
from stbuild.ir.plumbing import (
    ReadKv,
    ReadParams,
    ReadWeights,
    Sequence,
    WriteKv,
    WriteWords,
)
from stbuild.ir.program import Launch, Program, Repeat, Write, reads, run_lengths, writes
from stbuild.ir.tasks import channel_words, launch_tasks

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
            return (writes(process.writes[0], channel_words(design, op, launch)),)
        case ReadKv():
            return tuple(_read_kv(process, design, launch))
        case WriteKv():
            return tuple(_write_kv(process, design, launch))
        case WriteWords():
            return (reads(process.reads[0], op.words if launch.head else 0),)
        case _:
            raise TypeError(f"{type(op).__name__} is not a process of control")


def _read_kv(process: Process, design: Design, launch: Launch) -> Iterator[Node]:
    """Of each op the recent records, then two words for each block and head."""
    for number, block in enumerate(design.blocks):
        pairs = zip(process.writes[::2], process.writes[1::2], strict=True)
        ops = [
            (op.heads, *pair) for op, pair in zip(design.attentions, pairs, strict=True) if op.block == number
        ]
        counts = (
            tuple(heads.blocks(run, launch.position).count for heads, *_ in ops) for run in range(block.count)
        )
        for blocks, runs in run_lengths(counts):
            sent = [
                node
                for (heads, records, scales), count in zip(ops, blocks, strict=True)
                for node in (
                    writes(records, recent_before(launch) * heads.position_words),
                    writes(scales, 2 * heads.kv_heads * count),
                )
            ]
            yield Repeat(runs, tuple(sent), runs_of=number)


def _write_kv(process: Process, design: Design, launch: Launch) -> Iterator[Node]:
    """Of each op new records, then the blocks that the launch completes."""
    for number, block in enumerate(design.blocks):
        taken = [
            reads(stream, launch.tokens * op.heads.position_words + _completed_words(op.heads, launch))
            for op, stream in zip(design.attentions, process.reads, strict=True)
            if op.block == number
        ]
        yield Repeat(block.count, tuple(taken), runs_of=number)


def _completed_words(heads: KvHeads, launch: Launch) -> int:
    return completed_blocks(launch) * heads.kv_heads * heads.block_words


def _sequence(process: Process, op: Sequence, design: Design, launch: Launch) -> Iterator[Node]:
    """Commands; then, for every run of a block, rows of tables, other rows token by token, descriptors."""
    commands, streams, descriptors = (
        [name for name in process.writes if design.stream(name).kind is kind]
        for kind in (StreamKind.COMMAND, StreamKind.ROWS, StreamKind.DESCRIPTOR)
    )
    yield from (Write((name,)) for name in commands)
    sent = [_descriptors(design, engine, launch) for engine in range(len(descriptors))]
    for number, block in enumerate(design.blocks):
        if block.head and not launch.head:
            continue
        tokens = 1 if block.head else launch.tokens
        pairs = [p for p in zip(op.rows, streams, strict=True) if p[0].block == number]
        tables = tuple(writes(stream, tokens * row.words) for row, stream in pairs if row.in_one)
        rows = tuple(writes(stream, row.words) for row, stream in pairs if not row.in_one)
        counts = zip(*(by_block[number] for by_block in sent), strict=True)
        for words, runs in run_lengths(counts):
            ops = tuple(writes(stream, count) for stream, count in zip(descriptors, words, strict=True))
            yield Repeat(runs, (*tables, Repeat(tokens, rows), *ops), runs_of=number)
    yield from (Write((stream,)) for stream in descriptors)


def _descriptors(design: Design, engine: int, launch: Launch) -> dict[int, list[int]]:
    """How many descriptors an engine gets in each run of each block."""
    found: dict[int, list[int]] = defaultdict(list)
    for runs in launch_tasks(design, engine, launch):
        found[runs.block] += [len(runs.tasks)] * runs.count
    return found


def _read_params(process: Process, op: ReadParams, design: Design) -> Iterator[Node]:
    """Parameters of every run, also of the last block when the head does not run."""
    for number, block in enumerate(design.blocks):
        pairs = op.pairs(process.writes)
        sent = tuple(writes(stream, read.words) for read, stream in pairs if read.block == number)
        yield Repeat(block.count, sent, runs_of=number)
