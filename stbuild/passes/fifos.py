"""FIFO depths: what a stream must hold until the data on a longer parallel path arrive."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from stbuild.ir.design import Design, Process, Stream, StreamKind
from stbuild.ir.plumbing import Collect, ComputeUnit
from stbuild.ir.schedule import KvMatmul, MatmulOp
from stbuild.ir.streaming import Streaming
from stbuild.ops.fork import Fork
from stbuild.ops.norm import Norm

SMALL = 32
"""Words that a shift-register FIFO holds in one LUT a bit: no reason to take fewer."""
COMMANDS = 2
DESCRIPTORS = 16
COLLECTED = 64
"""Descriptors in front of the collector: many of attention's short ops are in the lanes at once."""
BURST = 64
"""Words of a memory reader's FIFO: covers the 36 cycles at 250 MHz until HBM answers (128 memory clocks
at 900 MHz, AMD PG276 as quoted in public material)."""
AROUND_LANES = 512
"""Words at most of a FIFO in front of a unit's lanes or behind them: what eight BRAMs hold."""
MARGIN = 4
ROUTING = 2
"""Words until the router hands on what it has read."""


@dataclass(frozen=True, kw_only=True, order=True)
class Delay:
    """How late a word comes: passes of a whole launch through an engine, then of a batch, then words."""

    chunks: int = 0
    batches: int = 0
    words: int = 0


@dataclass(frozen=True, kw_only=True)
class SizeFifos:
    """Give every stream the least depth that reconvergent paths need.

    Start-time potentials as in StreamTensor (arXiv 2509.13694): a process starts when its last
    input comes; a stream whose words wait for an engine pass holds the whole chunk, one whose words wait
    for another op on the same vectors a batch, one whose words wait for `k` words of another way `k` and a
    margin. Results that meet a norm, which takes longer for a token than the lanes, have room for a launch.
    In front of a unit's lanes lies a batch's vectors, and behind them its tiles: so the lanes go on while the
    router, which takes two cycles for a word of a linear op, gives out what it has taken in.
    """

    name: ClassVar[str] = "size-fifos"

    def __call__(self, design: Design) -> Design:
        starts = _Potentials(design)
        return replace(
            design, streams=tuple(replace(s, depth=_depth(s, design, starts)) for s in design.streams)
        )


class _Potentials:
    """When every process starts and its streams begin to flow, on the graph of one run."""

    def __init__(self, design: Design) -> None:
        self._processes = {p.name: p for p in design.processes}
        self._streams = {s.name: s for s in design.streams}
        self._engine = dict(_engine_inputs(design))
        self.start = cache(self._start)
        self.flow = cache(self._flow)

    def _start(self, process: str) -> Delay:
        reads = self._processes[process].reads
        forward = [s for s in reads if self._streams[s].kind is not StreamKind.LOOP]
        return max((self._needed(process, s) for s in forward), default=Delay())

    def _needed(self, process: str, stream: str) -> Delay:
        """When `process` could begin if `stream` were its only input."""
        flow = self.flow(stream)
        return replace(flow, words=flow.words - self.skip(process, stream))

    def skip(self, process: str, stream: str) -> int:
        """Words of other inputs that `process` takes before its first of `stream`."""
        op = self._processes[process].op
        if not isinstance(op, Streaming) or not op.in_turn:
            return 0
        reads = self._processes[process].reads
        return sum(self._streams[s].words for s in reads[: reads.index(stream)])

    def _flow(self, stream: str) -> Delay:
        """When the first word of `stream` comes."""
        if stream in self._engine:
            given = self._engine[stream]
            if given.follows:
                flow = self.flow(given.follows)
                return Delay(chunks=flow.chunks, batches=flow.batches + 1)
            return Delay(chunks=1 + max(self.flow(s).chunks for s in given.before))
        source = self._processes[self._streams[stream].source]
        if not source.reads:
            return Delay()
        start = self.start(source.name)
        op = source.op
        if not isinstance(op, Streaming):
            return replace(start, words=start.words + ROUTING)
        if op.waits_for_chunk:
            return Delay(chunks=start.chunks + 1)
        return replace(start, words=start.words + op.latency(self._streams[source.reads[0]].words))

    def meets_norm(self, stream: str) -> bool:
        """Whether a norm takes its words, or what is made of them, before the engine does."""
        sink = self._processes[self._streams[stream].sink]
        if isinstance(sink.op, Norm):
            return True
        data = [s for s in sink.writes if self._streams[s].kind is StreamKind.DATA]
        return isinstance(sink.op, Streaming) and any(map(self.meets_norm, data))

    def sink(self, stream: Stream) -> Process:
        """The process that reads `stream`."""
        return self._processes[stream.sink]


@dataclass(frozen=True, kw_only=True)
class _Given:
    """What must flow before a result stream of an engine: its vector, the result of the op before.

    A result `follows` that of another op with the same vectors: batch by batch, one behind the other.
    """

    before: tuple[str, ...] = ()
    follows: str = ""


def _engine_inputs(design: Design) -> Iterator[tuple[str, _Given]]:
    """Each result stream of an engine."""
    for engine in range(len(design.engines)):
        dispatch, collect = design.router(engine)
        last: tuple[int, int] | None = None
        for op in design.engine_ops(engine):
            for source, destination in _passes(op):
                before = [dispatch.reads[1 + source]]
                if last is not None and last[0] == op.block:
                    before.append(collect.writes[last[1]])
                keeps = isinstance(op, MatmulOp) and not op.load
                given = _Given(follows=before[-1]) if keeps else _Given(before=tuple(before))
                yield collect.writes[destination], given
                last = op.block, destination


def _passes(op: MatmulOp | KvMatmul) -> tuple[tuple[int, int], ...]:
    """Source and destination of each kind of vector that an op takes."""
    if isinstance(op, MatmulOp):
        return ((op.source, op.destination),)
    return (op.queries, op.products), (op.weights, op.sums)


def _depth(stream: Stream, design: Design, starts: _Potentials) -> int:
    sink = starts.sink(stream)
    match stream.kind:
        case StreamKind.COMMAND:
            return COMMANDS
        case StreamKind.DESCRIPTOR:
            return _descriptors(sink)
        case StreamKind.TILES:
            return max(DESCRIPTORS, _around_lanes(sink, stream, design))
        case StreamKind.ROWS:
            return max(DESCRIPTORS, stream.words + MARGIN)
        case StreamKind.VECTOR | StreamKind.LOOP:
            return max(SMALL, _chunk_words(stream, sink, design))
        case StreamKind.WEIGHTS | StreamKind.KV_READ:
            return BURST
        case StreamKind.PARAMS:
            return max(SMALL, stream.words)
        case StreamKind.HEADS:
            return max(SMALL, stream.words + MARGIN)
        case StreamKind.ACTIVATIONS:
            return max(SMALL, _around_lanes(sink, stream, design))
        case StreamKind.KV_WRITE | StreamKind.OUTPUT:
            return SMALL
        case StreamKind.RESULT | StreamKind.DATA:
            return max(SMALL, _waiting_words(stream, sink, design, starts))


def _descriptors(sink: Process) -> int:
    match sink.op:
        case ComputeUnit():
            return SMALL
        case Collect():
            return COLLECTED
        case _:
            return DESCRIPTORS


def _around_lanes(sink: Process, stream: Stream, design: Design) -> int:
    """Words of a batch: its vectors, or a unit's tiles of the widest op, as far as there is room."""
    match sink.op:
        case ComputeUnit(engine=number):
            words = stream.words
        case Collect(engine=number, max_tiles=tiles):
            words = -(-tiles // len(design.engines[number].lanes))
        case _:
            raise AssertionError(f"{stream.name} ends in no unit and no collector")
    return min(AROUND_LANES, design.engines[number].batch * words)


def _waiting_words(stream: Stream, sink: Process, design: Design, starts: _Potentials) -> int:
    """Words that gather in `stream` before its reader starts."""
    flow = starts.flow(stream.name)
    start = starts.start(stream.sink)
    full = _chunk_words(stream, sink, design)
    if stream.kind is StreamKind.RESULT and starts.meets_norm(stream.name):
        return full
    if start.chunks > flow.chunks:
        return full
    if start.batches > flow.batches:
        batch = max(engine.batch for engine in design.engines)
        return min(full, batch * stream.words + MARGIN)
    wait = start.words + starts.skip(stream.sink, stream.name) - flow.words
    return min(full, wait + MARGIN) if wait > 0 else 0


def _chunk_words(stream: Stream, sink: Process, design: Design) -> int:
    """Words of one run of a whole chunk, and room for a fork's atomic write."""
    head = sink.block >= 0 and design.blocks[sink.block].head
    once = isinstance(sink.op, Fork) and sink.op.once
    tokens = 1 if head and not once else design.sizes.chunk
    return tokens * stream.words + MARGIN
