"""FIFO depths: what a stream must hold while its other way round is still under way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import ClassVar

from stbuild.ir.design import Design, Fork, LoopTail, Process, Stream
from stbuild.ir.graph import Attention, Concat, Norm, Quantize, Rotary
from stbuild.ir.types import LANES

SMALL = 32
"""Words that a shift-register FIFO holds in one LUT a bit: no reason to take fewer."""
COMMANDS = 2
DESCRIPTORS = 16
BURST = 64
"""Words of a memory reader's FIFO: covers the 36 cycles at 250 MHz until HBM answers (128 memory clocks
at 900 MHz, AMD PG276 as quoted in public material)."""
MARGIN = 4


@dataclass(frozen=True, kw_only=True, order=True)
class Lag:
    """How late a word comes: passes of a whole chunk through an engine, then words."""

    chunks: int = 0
    words: int = 0


@dataclass(frozen=True, kw_only=True)
class SizeFifos:
    """Give every stream the least depth that its reconvergent ways need.

    Start-time potentials as in StreamTensor (arXiv 2509.13694): a process starts when its last
    input comes; a stream whose words wait for an engine pass holds the whole chunk, one whose words
    wait for `k` words of another way holds `k` and a margin.
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

    def _start(self, process: str) -> Lag:
        reads = [s for s in self._processes[process].reads if not self.goes_back(s)]
        return max((self._needed(process, s) for s in reads), default=Lag())

    def _needed(self, process: str, stream: str) -> Lag:
        """When `process` could begin if `stream` were its only input."""
        flow = self.flow(stream)
        return Lag(chunks=flow.chunks, words=flow.words - self.skip(process, stream))

    def skip(self, process: str, stream: str) -> int:
        """Words of other inputs that `process` takes before its first of `stream`."""
        if not isinstance(self._processes[process].op, Concat):
            return 0
        reads = self._processes[process].reads
        return sum(self._streams[s].words for s in reads[: reads.index(stream)])

    def _flow(self, stream: str) -> Lag:
        """When the first word of `stream` comes."""
        if stream in self._engine:
            before = self._engine[stream]
            return Lag(chunks=1 + max(self.flow(s).chunks for s in before))
        source = self._processes.get(self._streams[stream].source)
        if source is None or not source.reads:
            return Lag()
        start = self.start(source.name)
        if isinstance(source.op, Attention):
            return Lag(chunks=start.chunks + 1)
        return Lag(chunks=start.chunks, words=start.words + _latency(source, self._streams))

    def goes_back(self, stream: str) -> bool:
        source = self._processes.get(self._streams[stream].source)
        return source is not None and isinstance(source.op, LoopTail) and source.writes[0] == stream


def _engine_inputs(design: Design) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each result stream of the engine the streams that must flow before: its vector, the op before."""
    dispatch, collect = design.process("dispatch"), design.process("collect")
    for i, op in enumerate(design.matmuls):
        before = [dispatch.reads[1 + op.source]]
        if i and design.matmuls[i - 1].block == op.block:
            before.append(collect.writes[i - 1])
        yield collect.writes[i], tuple(before)


def _latency(process: Process, streams: Mapping[str, Stream]) -> int:
    """Words that `process` takes in before its first word comes out, and a little for its pipeline."""
    match process.op:
        case Norm() | Rotary():
            return streams[process.reads[0]].words + 2 * LANES
        case Quantize():
            return 2 + LANES
        case _:
            return 2


def _depth(stream: Stream, design: Design, starts: _Potentials) -> int:
    if stream.command:
        return COMMANDS
    if stream.source == "sequence" or (stream.sink in ("collect", "dispatch") and stream.words == 1):
        return max(DESCRIPTORS, stream.words + MARGIN)
    if stream.sink == "dispatch" or starts.goes_back(stream.name):
        return max(SMALL, _chunk_words(stream, design))
    if stream.source.startswith("read_"):
        return max(
            BURST if stream.source != "read_params" else SMALL, stream.words if "param" in stream.name else 0
        )
    if stream.sink.startswith(("write_", "matmul_")) or stream.source == "dispatch":
        return SMALL
    return max(SMALL, _waiting_words(stream, design, starts))


def _waiting_words(stream: Stream, design: Design, starts: _Potentials) -> int:
    """Words that gather in `stream` before its reader starts."""
    flow = starts.flow(stream.name)
    start = starts.start(stream.sink)
    full = _chunk_words(stream, design)
    if start.chunks > flow.chunks:
        return full
    wait = start.words + starts.skip(stream.sink, stream.name) - flow.words
    return min(full, wait + MARGIN) if wait > 0 else 0


def _chunk_words(stream: Stream, design: Design) -> int:
    """Words of one run of a whole chunk, and room for a fork's atomic write."""
    sink = next((p for p in design.processes if p.name == stream.sink), None)
    head = sink is not None and sink.block >= 0 and design.blocks[sink.block].head
    once = sink is not None and isinstance(sink.op, Fork) and sink.op.once
    tokens = 1 if head and not once else design.sizes.chunk
    return tokens * stream.words + MARGIN
