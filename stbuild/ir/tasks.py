"""What the lanes of an engine do in a launch: its schedule with the numbers that only the launch tells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stbuild.ir.design import Design
from stbuild.ir.kv import GROUP_WORDS, Blocks, KvPart
from stbuild.ir.plumbing import ReadWeights
from stbuild.ir.program import Launch, run_lengths
from stbuild.ir.schedule import EngineOps, KvMatmul, MatmulOp, op_sets
from stbuild.ir.types import GROUP


@dataclass(frozen=True, kw_only=True)
class Task:
    """`tiles` tiles of 16 rows times `tokens` vectors of `groups` words, as one descriptor says.

    `load`: the vectors come before it, else they are those of the task before. Of a tile's `tile_words`,
    `headers` are scales. `raw` vectors have no scales of their own (attention), and go on word by word. The
    vectors of values come in parts of a batch: `part_before` and `part_follows` say whether there are others.
    """

    source: int
    destination: int
    groups: int
    tiles: int
    tile_words: int
    headers: int
    base: int
    tokens: int
    load: bool
    raw: bool
    part_before: bool = False
    part_follows: bool = False

    def tiles_in(self, channel: int, channels: int) -> int:
        """How many of its tiles lie in `channel`."""
        first = (channel - self.base) % channels
        return max(0, -(-(self.tiles - first) // channels))


@dataclass(frozen=True, kw_only=True)
class Runs:
    """`count` runs of a block that follow each other and do the same `tasks`."""

    block: int
    count: int
    tasks: tuple[Task, ...]


def launch_tasks(design: Design, engine: int, launch: Launch) -> tuple[Runs, ...]:
    """What `engine` does in a launch, block after block; a block whose turn it is not is left out."""
    return tuple(_runs(design, engine, launch))


def cached_words(design: Design, op: ReadWeights, launch: Launch) -> int:
    """Words of the KV cache that a channel's reader sends between its weights."""
    channels = design.engines[op.engine].channels
    return sum(
        runs.count * task.tiles_in(op.channel, channels) * task.tile_words
        for runs in launch_tasks(design, op.engine, launch)
        for task in runs.tasks
        if task.raw
    )


def weight_words(design: Design, op: ReadWeights, launch: Launch) -> int:
    """Words of weights that a channel's reader sends: those of the body once for each batch."""
    batches = design.engines[op.engine].batches(launch.tokens)
    return batches * op.body_words + (op.head_words if launch.head else 0)


def channel_words(design: Design, op: ReadWeights, launch: Launch) -> int:
    """All words that a channel's reader sends."""
    return weight_words(design, op, launch) + cached_words(design, op, launch)


def _runs(design: Design, engine: int, launch: Launch) -> Iterator[Runs]:
    for number, block in enumerate(design.blocks):
        if block.head and not launch.head:
            continue
        ops = tuple(op for op in design.engine_ops(engine) if op.block == number)
        cached = [op for op in ops if isinstance(op, KvMatmul)]
        seen = [tuple(op.heads.blocks(run, launch.position) for op in cached) for run in range(block.count)]
        for blocks, count in run_lengths(seen):
            by_op = dict(zip((op.name for op in cached), blocks, strict=True))
            tokens = 1 if block.head else launch.tokens
            tasks = [t for each in op_sets(ops) for t in _tasks(each, by_op, tokens, design)]
            yield Runs(block=number, count=count, tasks=tuple(tasks))


def _tasks(ops: EngineOps, blocks: Mapping[str, Blocks], tokens: int, design: Design) -> Iterator[Task]:
    """Ops that share a vector, batch by batch; or those of attention, head by head."""
    batch = design.engines[ops[0].engine].batch
    if isinstance(ops[0], KvMatmul):
        cached = blocks[ops[0].name]
        for part, head in ops[0].heads.order() if cached.count else ():
            yield from _head_tasks(ops[0], part, head, cached, tokens, design)
        return
    for first in range(0, tokens, batch):
        for op in ops:
            assert isinstance(op, MatmulOp)
            yield _linear_task(op, min(batch, tokens - first))


def _linear_task(op: MatmulOp, tokens: int) -> Task:
    return Task(
        source=op.source, destination=op.destination, groups=op.cols // GROUP, tiles=op.tiles,
        tile_words=op.tile_words, headers=op.cols // op.group, base=op.base, tokens=tokens,
        load=op.load, raw=False,
    )  # fmt: skip


def _head_tasks(
    op: KvMatmul, part: KvPart, head: int, blocks: Blocks, tokens: int, design: Design
) -> Iterator[Task]:
    """A head's keys or values: as many vectors at once as the engine takes."""
    engine = design.engines[op.engine]
    keys = part is KvPart.KEYS
    groups = op.heads.groups if keys else blocks.count
    base = design.layout(op).base(part, head) + (2 * blocks.first if keys else 0)
    rows = tokens * op.heads.rows(part)
    for first in range(0, rows, engine.batch):
        yield Task(
            source=op.queries if keys else op.weights,
            destination=op.products if keys else op.sums,
            groups=groups,
            tiles=2 * blocks.count if keys else op.heads.value_tiles,
            tile_words=GROUP_WORDS * groups,
            headers=0,
            base=base % engine.channels,
            tokens=min(engine.batch, rows - first),
            load=True,
            raw=True,
            part_before=not keys and first > 0,
            part_follows=not keys and first + engine.batch < rows,
        )
