"""The twins of a design: which processes have one, with which parameters, on which streams."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.twins.composition.streaming import STREAMING
from stbuild.codegen.calls import call_of
from stbuild.codegen.engine import ACT_FAN, MERGE, Lane, lanes_of
from stbuild.codegen.identifiers import emulated_stream
from stbuild.ir.call import FunctionTable
from stbuild.ir.design import LANE_ACTS, LANE_WORDS, Design, Process, StreamKind
from stbuild.ir.engine import Engine
from stbuild.ir.lane_shape import LaneShape, lane_shape
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch, ReadWeights
from stbuild.ir.streaming import Streaming
from stbuild.ir.types import GROUP
from stbuild.timing.twins import TWINS

WORD_BYTES, COMMAND_BYTES = 64, 8
UNIT_STREAMS, LANE_STREAMS, RESULTS = 3, 4, 2
"""Units of dispatch_twin, lanes of fan_twin, units of collect_twin and lanes of merge_twin."""
ASKS = "asks."
"""In front of a stream: the commands of the process of `control` whose memory port has a twin."""


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A FIFO by the emulator's name."""

    name: str
    depth: int
    bytes: int = WORD_BYTES


@dataclass(frozen=True, kw_only=True)
class Pin:
    """Word `index` of a bus of a twin, and its stream."""

    bus: str
    stream: Stream
    reads: bool
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A process of the emulated network as a twin. Of buses whose streams the design does not have, those of
    `ready` are written, those of `silent` read.

    `memory` is a read port's stream: it has the pins of a bus, and its process still says what to read.
    """

    process: str
    module: str
    parameters: Mapping[str, int | str]
    pins: tuple[Pin, ...]
    ready: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    memory: str = ""
    table: FunctionTable | None = None


def instances(named: Design) -> tuple[Instance, ...]:
    """The twins of a design with identifiers, of those that are confirmed."""
    confirmed = {twin.module for twin in TWINS if twin.confirmed}
    found = (each for process in named.processes for each in _of_process(process, named))
    return tuple(each for each in found if each.module in confirmed)


def _of_process(process: Process, named: Design) -> Iterator[Instance]:
    match process.op:
        case ComputeUnit() as op:
            yield from _unit(process, named.engines[op.engine], named)
        case ReadWeights():
            yield _reader(process, named)
        case Dispatch() as op:
            yield _dispatch(process, named.engines[op.engine], named)
        case Collect() as op:
            yield _collect(process, op, named.engines[op.engine], named)
        case Streaming():
            yield from _streaming(process, named)


def _streaming(process: Process, named: Design) -> Iterator[Instance]:
    call = call_of(process, named)
    twin, given = STREAMING.get(call.function), dict(call.arguments)
    if twin is None or call.types or call.results_first or len(process.writes) != len(twin.writes):
        return
    if len(process.inputs) != len(twin.reads) or not twin.only(given):
        return
    pins = (
        *_pins(twin.reads, process.inputs, named, reads=True),
        *_pins(twin.writes, process.writes, named, reads=False),
    )
    yield Instance(
        process=_name(process, named),
        module=twin.module,
        parameters=twin.parameters(given),
        pins=pins,
        table=call.table,
    )


def _name(process: Process, named: Design) -> str:
    return f"{named.unit_of(process)}.{process.name}"


def _stream(name: str, named: Design) -> Stream:
    stream = named.stream(name)
    depth = stream.depth
    sink = named.process(stream.sink).op
    if stream.kind is StreamKind.WEIGHTS and isinstance(sink, ComputeUnit):
        depth += named.engines[sink.engine].prefetch
    command = stream.kind is StreamKind.COMMAND
    return Stream(
        name=emulated_stream(named, stream), depth=depth, bytes=COMMAND_BYTES if command else WORD_BYTES
    )


def _pins(buses: Sequence[str], streams: Sequence[str], named: Design, *, reads: bool) -> tuple[Pin, ...]:
    pairs = zip(buses, streams, strict=True)
    return tuple(Pin(bus=bus, stream=_stream(stream, named), reads=reads) for bus, stream in pairs)


def _bus(bus: str, streams: Sequence[str], named: Design, *, reads: bool) -> tuple[Pin, ...]:
    found = (_stream(name, named) for name in streams)
    return tuple(Pin(bus=bus, stream=each, reads=reads, index=i) for i, each in enumerate(found))


def _reader(process: Process, named: Design) -> Instance:
    (stream,) = (_stream(name, named) for name in process.writes)
    asks = Stream(name=ASKS + stream.name, depth=2, bytes=COMMAND_BYTES)
    return Instance(
        process=_name(process, named),
        module="read_twin",
        parameters={},
        pins=(Pin(bus="cmd", stream=asks, reads=True), Pin(bus="y", stream=stream, reads=False)),
        memory=stream.name,
    )


def _dispatch(process: Process, engine: Engine, named: Design) -> Instance:
    desc, *sources = process.reads
    collect, *units = process.writes
    others = range(len(units) // 2, UNIT_STREAMS)
    buses = [f"{kind}{unit}" for unit in range(len(units) // 2) for kind in ("desc", "act")]
    return Instance(
        process=_name(process, named),
        module="dispatch_twin",
        parameters={
            "SOURCES": len(sources),
            "GROUPS": lane_shape(named, process.op.engine).columns // GROUP,  # type: ignore[union-attr]
            "UNIT_LANES": engine.lanes[0],
            "CHANNELS": engine.channels,
        },
        pins=(
            *_pins(("desc",), (desc,), named, reads=True),
            *_bus("s", sources, named, reads=True),
            *_pins(("collect", *buses), (collect, *units), named, reads=False),
        ),
        ready=tuple(f"{kind}{unit}" for unit in others for kind in ("desc", "act")),
    )


def _collect(process: Process, op: Collect, engine: Engine, named: Design) -> Instance:
    desc, *units = process.reads
    return Instance(
        process=_name(process, named),
        module="collect_twin",
        parameters={
            "DESTINATIONS": len(process.writes), "LANES": engine.lanes[0], "CHUNK": engine.batch,
            "MAX_TILES": op.max_tiles,
        },
        pins=(
            *_pins(("desc",), (desc,), named, reads=True),
            *_pins([f"r{i}" for i in range(len(units))], units, named, reads=True),
            *_bus("y", process.writes, named, reads=False),
        ),
        silent=tuple(f"r{i}" for i in range(len(units), RESULTS)),
    )  # fmt: skip


def _unit(process: Process, engine: Engine, named: Design) -> Iterator[Instance]:
    op, unit = process.op, named.unit_of(process)
    assert isinstance(op, ComputeUnit)
    lanes = lanes_of(engine, op.unit)
    desc, act, *weights = (_stream(name, named) for name in process.reads)
    (tiles,) = (_stream(name, named) for name in process.writes)
    yield _fan(unit, lanes, desc, act)
    shape = lane_shape(named, op.engine)
    for lane, fabric, stream in zip(lanes, engine.fabric_lanes(op.unit), weights, strict=True):
        yield _lane(unit, lane, fabric, shape, stream)
    yield Instance(
        process=f"{unit}.{MERGE}",
        module="merge_twin",
        parameters={},
        pins=(
            Pin(bus="desc", stream=_inner(unit, "merge_desc"), reads=True),
            *(Pin(bus=f"r{i}", stream=_inner(unit, lane.out), reads=True) for i, lane in enumerate(lanes)),
            Pin(bus="y", stream=tiles, reads=False),
        ),
    )


def _inner(unit: str, name: str, depth: int = LANE_WORDS) -> Stream:
    return Stream(name=f"{unit}.{name}", depth=depth)


def _fan(unit: str, lanes: Sequence[Lane], desc: Stream, act: Stream) -> Instance:
    pins = [Pin(bus="desc", stream=desc, reads=True), Pin(bus="act", stream=act, reads=True)]
    pins.append(Pin(bus="merge_desc", stream=_inner(unit, "merge_desc"), reads=False))
    for i, lane in enumerate(lanes):
        pins.append(Pin(bus=f"desc{i}", stream=_inner(unit, lane.desc), reads=False))
        pins.append(Pin(bus=f"act{i}", stream=_inner(unit, lane.act, LANE_ACTS), reads=False))
    others = range(len(lanes), LANE_STREAMS)
    return Instance(
        process=f"{unit}.{ACT_FAN}",
        module="fan_twin",
        parameters={},
        pins=tuple(pins),
        ready=tuple(f"{kind}{i}" for i in others for kind in ("desc", "act")),
    )


def _lane(unit: str, lane: Lane, fabric: int, shape: LaneShape, weights: Stream) -> Instance:
    return Instance(
        process=f"{unit}.{lane.process}",
        module="lane_twin",
        parameters={
            "LANE": lane.number, "TOKEN_LANES": shape.token_lanes, "AT_ONCE": shape.rows_at_once,
            "FABRIC": fabric, "PASSES": shape.passes, "ACTS": shape.stored_groups,
        },
        pins=(
            Pin(bus="desc", stream=_inner(unit, lane.desc), reads=True),
            Pin(bus="act", stream=_inner(unit, lane.act, LANE_ACTS), reads=True),
            Pin(bus="weights", stream=weights, reads=True),
            Pin(bus="y", stream=_inner(unit, lane.out), reads=False),
        ),
    )  # fmt: skip
