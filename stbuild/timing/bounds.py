"""What a launch cannot be faster than: the memory's bandwidth and the multipliers of the engine."""

from collections import defaultdict
from collections.abc import Iterator

from stbuild.ir.design import WORD_BYTES, Design
from stbuild.ir.kv import GROUP_WORDS, completed_blocks, recent_before
from stbuild.ir.lane_shape import QUAD, ROWS, lane_shape
from stbuild.ir.plumbing import (
    ReadKv,
    ReadParams,
    ReadWeights,
    RowRead,
    Sequence,
    WriteKv,
    WriteWords,
)
from stbuild.ir.program import Launch
from stbuild.ir.schedule import KvMatmul
from stbuild.ir.tasks import Task, cached_words, launch_tasks, weight_words
from stbuild.timing.bandwidth import MemoryBandwidth


def launches(tokens: int, chunk: int) -> tuple[Launch, ...]:
    """A prefill of `tokens` in launches of `chunk`, as a session makes them: the head runs in the last."""
    starts = range(0, tokens, chunk)
    return tuple(
        Launch(tokens=min(chunk, tokens - start), position=start, head=start == starts[-1])
        for start in starts
    )


def memory_bytes(design: Design, launch: Launch) -> int:
    """All bytes that the launch reads and writes."""
    return round(sum(count for _, count in _traffic(design, launch)))


def memory_bound(design: Design, supply: MemoryBandwidth, launch: Launch) -> float:
    """Cycles of the bank that moves the most bytes; of all banks together where they are interleaved.

    Bytes of a region in several banks are taken as spread evenly over them.
    """
    if supply.interleaved:
        return memory_bytes(design, launch) / supply.bytes_per_cycle
    banks: dict[int, float] = defaultdict(float)
    for name, count in _traffic(design, launch):
        region = design.region(name)
        span = region.last - region.first + 1
        for bank in range(span):
            banks[region.first + bank] += count / span
    return max(banks.values()) / supply.bytes_per_cycle


def engine_bound(design: Design, launch: Launch) -> int:
    """Cycles of the channel with the most work, if weights and activations were always there.

    A word takes a cycle; past `token_lanes` tokens, a further pass over its weight group takes as long.
    Then a tile's last sums are finished as many rows a cycle as D and M meet, and a token's result takes four
    cycles.
    """
    return max(
        _channel_cycles(design, number, channel, launch)
        for number, engine in enumerate(design.engines)
        for channel in range(engine.channels)
    )


def _channel_cycles(design: Design, engine: int, channel: int, launch: Launch) -> int:
    sizes, finish = design.engines[engine], ROWS // lane_shape(design, engine).rows_at_once
    return sum(
        runs.count * task.tiles_in(channel, sizes.channels) * _tile_cycles(task, sizes.token_lanes, finish)
        for runs in launch_tasks(design, engine, launch)
        for task in runs.tasks
    )


def _tile_cycles(task: Task, token_lanes: int, finish: int) -> int:
    passes = -(-task.tokens // token_lanes)
    finish = QUAD if task.raw else finish
    return task.headers + (task.tile_words - task.headers) * passes + finish + QUAD * task.tokens


def _traffic(design: Design, launch: Launch) -> Iterator[tuple[str, float]]:
    """Regions with the bytes that the launch moves there."""
    for process in design.processes:
        for region, words in _words(design, process.op, launch):
            yield region, words * WORD_BYTES


def _rows_read(row: RowRead, design: Design, launch: Launch) -> int:
    """The rows of a launch; the head's block sees one token or none."""
    block = design.blocks[row.block]
    return block.count * (int(launch.head) if block.head else launch.tokens)


def _words(design: Design, op: object, launch: Launch) -> Iterator[tuple[str, float]]:
    match op:
        case ReadWeights():
            yield op.region, weight_words(design, op, launch)
            if op.kv:
                yield op.kv, cached_words(design, op, launch)
        case ReadParams():
            yield op.region, sum(r.words * design.blocks[r.block].count for r in op.reads)
        case Sequence():
            yield from ((r, design.program_words(e)) for e, r in enumerate(op.programs))
            yield from ((row.region, row.words * _rows_read(row, design, launch)) for row in op.rows)
        case ReadKv():
            yield op.region, sum(_kv_read(design, attention, launch) for attention in design.attentions)
        case WriteKv():
            for attention in design.attentions:
                yield from _kv_written(design, op.region, attention, launch)
        case WriteWords():
            yield op.region, op.words if launch.head else 0


def _kv_read(design: Design, op: KvMatmul, launch: Launch) -> int:
    """Records of recent positions, and scales of the full blocks."""
    heads, runs = op.heads, design.blocks[op.block].count
    seen = sum(heads.blocks(run, launch.position).count for run in range(runs))
    return runs * heads.position_words * recent_before(launch) + 2 * heads.kv_heads * seen


def _kv_written(design: Design, shared: str, op: KvMatmul, launch: Launch) -> Iterator[tuple[str, float]]:
    """New records, and the blocks that a launch completes, as spread evenly over the channels."""
    heads, runs = op.heads, design.blocks[op.block].count
    blocks = completed_blocks(launch) * heads.kv_heads * runs
    words = 2 * heads.key_words + GROUP_WORDS * heads.value_tiles
    yield shared, runs * heads.position_words * launch.tokens + 2 * blocks
    channels = design.channels(op.engine)
    yield from ((channel.kv, blocks * words / len(channels)) for channel in channels)
