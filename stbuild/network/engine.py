"""The programs of the matmul engine: the router's two processes, and those inside each compute unit.

They follow the descriptors of the launch: hls_lib/include/stb/router.hpp and matmul.hpp.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from stbuild.ir.design import LANE_ACTS, LANE_WORDS, Design, Process
from stbuild.ir.engine import Engine
from stbuild.ir.plumbing import ComputeUnit
from stbuild.ir.program import Launch, Program, Read, Repeat, Write, moves, reads, writes
from stbuild.ir.tasks import Task, launch_tasks


@dataclass(frozen=True, kw_only=True)
class Span:
    """`tiles` tiles of a matrix that follow each other, in the channels of lane or unit `owner`."""

    owner: int
    tiles: int


def dispatch_program(process: Process, engine: int, design: Design, launch: Launch) -> Program:
    """Descriptors to the collector and the units; the vectors of ops that load, token by token."""
    desc, *sources = process.reads
    collect, *units = process.writes
    descriptors, acts = units[0::2], tuple(units[1::2])
    send: Program = (Read(desc), Write((collect,)), *(Write((d,)) for d in descriptors))

    def body(task: Task) -> Program:
        if not task.load:
            return send
        source, groups = sources[task.source], task.groups
        if task.raw:
            return *send, Repeat(groups * task.tokens, (Read(source), Write(acts)))
        vector = (reads(source, groups), Repeat(groups, (Write(acts),)))
        return *send, Repeat(task.tokens, vector)

    return *_by_task(design, engine, launch, body), *send


def collect_program(process: Process, engine: int, design: Design, launch: Launch) -> Program:
    """The units' tiles in the order of the matrix; those of several tokens by way of a buffer.

    Of an op in parts, the results of one go out while those of the next come in.
    """
    desc, *rest = process.reads
    sizes = design.engines[engine]

    def body(task: Task) -> Program:
        result, tokens = process.writes[task.destination], task.tokens
        stored = sizes.batch > 1 and (tokens > 1 or task.part_before)
        gives = not stored or task.part_before

        def tiles(span: Span) -> Repeat:
            words = span.tiles * tokens
            return moves(rest[span.owner], result, words) if gives else reads(rest[span.owner], words)

        passed = _in_order(task, sizes.channels, sizes.owners.__getitem__, tiles)
        left = task.tiles * (sizes.batch - tokens) if task.part_before else 0
        own = task.tiles * tokens if stored and not task.part_follows else 0
        return Read(desc), *passed, writes(result, left), writes(result, own)

    return *_by_task(design, engine, launch, body), Read(desc)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One matmul compute unit of `design`, and the names of the streams inside it."""

    design: Design
    process: Process
    op: ComputeUnit

    @property
    def engine(self) -> Engine:
        """The engine that it belongs to."""
        return self.design.engines[self.op.engine]

    @property
    def lanes(self) -> range:
        """The lanes by their numbers in the unit."""
        return range(self.engine.lanes[self.op.unit])

    @cached_property
    def unit(self) -> str:
        """Its compute unit: looked up once, since every step of a program names it."""
        return self.design.unit_of(self.process)

    def inner(self, name: str) -> str:
        """The stream or process `name` inside this unit."""
        return f"{self.unit}.{name}"

    def streams(self) -> Iterator[tuple[str, int]]:
        """The FIFOs between the unit's processes, with their depths."""
        yield self.inner("merge_desc"), LANE_WORDS
        for lane in self.lanes:
            yield self.inner(f"lane_act_{lane}"), LANE_ACTS
            yield from ((self.inner(f"lane_{kind}_{lane}"), LANE_WORDS) for kind in ("desc", "out"))

    def programs(self, launch: Launch) -> Iterator[tuple[str, Program]]:
        """The unit's processes and their programs."""
        yield self.inner("act_fan"), self._act_fan(launch)
        for lane in self.lanes:
            yield self.inner(f"mac_lane_{lane}"), self._mac_lane(lane, launch)
        yield self.inner("merge"), self._merge(launch)

    def _act_fan(self, launch: Launch) -> Program:
        lane_descriptors, lane_acts = (
            tuple(self.inner(f"lane_{kind}_{lane}") for lane in self.lanes) for kind in ("desc", "act")
        )
        merge = self.inner("merge_desc")
        send: Program = (Read(self.process.reads[0]), Write((merge,)), Write(lane_descriptors))
        step: Program = (Read(self.process.reads[1]), Write(lane_acts))

        first = self.engine.first_channel(self.op.unit)

        def body(task: Task) -> Program:
            words = task.groups * task.tokens if task.load else 0
            if not task.raw:
                return *send, Repeat(words, step)
            channels = self.engine.channels
            chosen = (a for i, a in enumerate(lane_acts) if task.tiles_in(first + i, channels))
            return *send, Repeat(words, (Read(self.process.reads[1]), *(Write((a,)) for a in chosen)))

        return *_by_task(self.design, self.op.engine, launch, body), *send

    def _mac_lane(self, lane: int, launch: Launch) -> Program:
        desc, act, out = (self.inner(f"lane_{kind}_{lane}") for kind in ("desc", "act", "out"))
        sizes = self.engine
        channel = sizes.first_channel(self.op.unit) + lane

        def body(task: Task) -> Program:
            takes = task.load and (not task.raw or task.tiles_in(channel, sizes.channels) > 0)
            loaded = reads(act, task.groups * task.tokens if takes else 0)
            tile = (reads(self.process.reads[2 + lane], task.tile_words), writes(out, task.tokens))
            return Read(desc), loaded, Repeat(task.tiles_in(channel, sizes.channels), tile)

        return *_by_task(self.design, self.op.engine, launch, body), Read(desc)

    def _merge(self, launch: Launch) -> Program:
        sizes = self.engine
        first, desc = sizes.first_channel(self.op.unit), self.inner("merge_desc")

        def body(task: Task) -> Program:
            def tiles(span: Span) -> Repeat:
                mine = span.owner in self.lanes
                words = span.tiles * task.tokens if mine else 0
                return moves(self.inner(f"lane_out_{span.owner}"), self.process.writes[0], words)

            return Read(desc), *_in_order(task, sizes.channels, lambda channel: channel - first, tiles)

        return *_by_task(self.design, self.op.engine, launch, body), Read(desc)


def _by_task(design: Design, engine: int, launch: Launch, body: Callable[[Task], Program]) -> Program:
    """`body` of every task in the order of the schedule, run after run."""
    return tuple(
        Repeat(runs.count, tuple(step for task in runs.tasks for step in body(task)), runs_of=runs.block)
        for runs in launch_tasks(design, engine, launch)
    )


def _in_order(
    task: Task, channels: int, owner: Callable[[int], int], body: Callable[[Span], Repeat]
) -> Program:
    """`body` of the tiles of `task`, which go round the channels from its base on."""
    rounds, rest = divmod(task.tiles, channels)
    whole = tuple(body(span) for span in _spans(task.base, channels, channels, owner))
    return Repeat(rounds, whole), *(body(span) for span in _spans(task.base, rest, channels, owner))


def _spans(base: int, tiles: int, channels: int, owner: Callable[[int], int]) -> Iterator[Span]:
    """The owners of the tiles from channel `base` on, each with its tiles in a row."""
    owners = [owner((base + i) % channels) for i in range(tiles)]
    start = 0
    for i in range(1, tiles + 1):
        if i == tiles or owners[i] != owners[start]:
            yield Span(owner=owners[start], tiles=i - start)
            start = i
