"""What a design takes of the fabric, row by row: processes, FIFOs, stream ports, memory ports."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from stbuild.ir.design import (
    LANE_ACTS,
    LANE_WORDS,
    WORD_BYTES,
    Design,
    Kernel,
    KernelRole,
    Process,
    Stream,
    StreamKind,
)
from stbuild.ir.engine import Engine
from stbuild.ir.lane_shape import LaneShape
from stbuild.ir.link import linked_depth
from stbuild.ir.parts import Part, Store
from stbuild.ir.plumbing import ComputeUnit
from stbuild.ir.site import call_site
from stbuild.ir.storage import Storage
from stbuild.ir.streaming import Streaming
from stbuild.platform import Fabric, Platform
from stbuild.resources.costs import bound_store, cost_of
from stbuild.resources.lane import lane_hardware
from stbuild.resources.plumbing import plumbing_hardware
from stbuild.resources.storage import bind_fifo, fifo_in

NOTHING = Fabric(lut=0, ff=0)
PROCESS = Fabric(lut=50, ff=60)
"""The counters, the state machine and the handshakes of a process (rtl_lib/twins/launch_steps.sv)."""
COMMAND_BITS = 64
LANE_FIFOS = 3
"""Inside a compute unit each lane has FIFOs of descriptors, vectors and results; the merger has one more."""


class RowKind(Enum):
    """What a row of the table counts."""

    PROCESS = "process"
    FIFO = "fifo"
    PORT = "port"
    """Registers of a kernel's stream port."""
    MEMORY_PORT = "memory port"


@dataclass(frozen=True, kw_only=True)
class Array:
    """An array of a process, in each of `banks` memories, with where it should lie."""

    name: str
    words: int
    bits: int
    banks: int
    storage: Storage


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one thing takes, in compute unit `unit`."""

    kind: RowKind
    name: str
    unit: str
    cost: Fabric
    arrays: tuple[Array, ...] = ()


def usage_of(design: Design, platform: Platform) -> tuple[Row, ...]:
    """The rows of a design whose kernels and FIFO depths are there; where units lie does not matter."""
    return (*_processes(design, platform), *_streams(design, platform), *_memory_ports(design, platform))


def unit_costs(rows: tuple[Row, ...]) -> dict[str, Fabric]:
    """What each compute unit takes, in the order of their first rows."""
    costs: dict[str, Fabric] = {}
    for row in rows:
        costs[row.unit] = costs.get(row.unit, NOTHING) + row.cost
    return costs


def hardware_of(process: Process, design: Design) -> tuple[Part, ...]:
    """The parts of any process."""
    if isinstance(process.op, Streaming):
        return process.op.hardware(call_site(process, design))
    return plumbing_hardware(process.op, design)


def stream_bits(stream: Stream) -> int:
    """The width of a stream's tokens."""
    return COMMAND_BITS if stream.kind is StreamKind.COMMAND else 8 * WORD_BYTES


def _processes(design: Design, platform: Platform) -> Iterator[Row]:
    for process in design.processes:
        parts = hardware_of(process, design)
        cost = PROCESS
        for part in parts:
            cost = cost + cost_of(part, platform.dsp.type, platform.available)
        if isinstance(process.op, ComputeUnit):
            engine = design.engines[process.op.engine]
            cost = cost + unit_fifos(engine, engine.lanes[process.op.unit], platform)
        unit = design.unit_of(process)
        arrays = tuple(_arrays(parts, platform))
        yield Row(kind=RowKind.PROCESS, name=process.name, unit=unit, cost=cost, arrays=arrays)


def unit_fifos(engine: Engine, lanes: int, platform: Platform) -> Fabric:
    """The lanes of a compute unit as processes, with those that fetch ahead, and the FIFOs around them."""
    bits = 8 * WORD_BYTES
    fifo = bind_fifo(LANE_WORDS, bits, platform.available).cost
    ahead = fifo_in(engine.prefetch_storage, engine.prefetch, bits)
    acts = fifo_in(Storage.BRAM, LANE_ACTS, bits)
    return (PROCESS * 2 + ahead + acts + fifo * (LANE_FIFOS - 1)) * lanes + PROCESS + fifo


def lane_cost(shape: LaneShape, fabric: int, platform: Platform) -> Fabric:
    """The parts of a lane of which `fabric` token lanes multiply in LUTs."""
    parts = lane_hardware(shape, fabric)
    return sum((cost_of(part, platform.dsp.type, platform.available) for part in parts), NOTHING)


def change_in_luts(shape: LaneShape, platform: Platform) -> Fabric:
    """What a token lane takes more, or less, where it multiplies in LUTs."""
    return lane_cost(shape, 1, platform) + lane_cost(shape, 0, platform) * -1


def _arrays(parts: tuple[Part, ...], platform: Platform) -> Iterator[Array]:
    seen: dict[Store, None] = dict.fromkeys(part for part in parts if isinstance(part, Store))
    for part in seen:
        banks = part.banks * parts.count(part)
        storage = bound_store(part, platform.available).storage
        yield Array(name=part.name, words=part.words, bits=part.bits, banks=banks, storage=storage)


def _streams(design: Design, platform: Platform) -> Iterator[Row]:
    units = {p.name: design.unit_of(p) for p in design.processes}
    for stream in design.streams:
        source, sink = units[stream.source], units[stream.sink]
        depth = stream.depth if source == sink else linked_depth(stream.depth)
        bound = bind_fifo(depth, stream_bits(stream), platform.available)
        yield Row(kind=RowKind.FIFO, name=stream.name, unit=sink, cost=bound.cost)
        if source != sink:
            for unit in (source, sink):
                yield Row(
                    kind=RowKind.PORT, name=stream.name, unit=unit, cost=slice_cost(stream_bits(stream))
                )


def slice_cost(bits: int) -> Fabric:
    """A port's registers in both directions, as Vitis HLS puts them at each axis port (AMD UG1399)."""
    return Fabric(lut=bits + 8, ff=2 * bits + 2)


def _memory_ports(design: Design, platform: Platform) -> Iterator[Row]:
    (unit,) = control_of(design).units
    for port in memory_ports(design):
        yield Row(kind=RowKind.MEMORY_PORT, name=port, unit=unit, cost=platform.axi.adapter_cost)


def control_of(design: Design) -> Kernel:
    """The kernel that owns the memory ports."""
    return next(k for k in design.kernels if k.role is KernelRole.CONTROL)


def memory_ports(design: Design) -> tuple[str, ...]:
    """The m_axi ports, in the order of the regions."""
    ports = (port for region in design.regions for port in (region.port, region.write_port) if port)
    return tuple(dict.fromkeys(ports))
