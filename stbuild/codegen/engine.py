"""The C++ of the matmul engine: the compute unit with its lanes, and the router around the units."""

from dataclasses import dataclass

from stbuild.codegen.kernel import bind_storage, call_line, fifo
from stbuild.codegen.ports import ends_of_kernel, parameters, port_pragmas, ports_of
from stbuild.codegen.writer import cpp_file, function
from stbuild.ir.design import LANE_ACTS, LANE_WORDS, Design, Kernel, Process
from stbuild.ir.engine import Engine
from stbuild.ir.lane_shape import LaneShape, lane_shape
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch
from stbuild.ir.storage import Storage

ACT_FAN, MERGE = "act_fan", "merge"
"""The processes of a unit beside its lanes."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Names of lane `number` in the C++ of a compute unit: its process, and the FIFOs at its ends."""

    number: int

    @property
    def process(self) -> str:
        """The process that multiplies."""
        return f"mac_lane_{self.number}"

    @property
    def desc(self) -> str:
        """The FIFO of its descriptors."""
        return f"lane_desc_{self.number}"

    @property
    def act(self) -> str:
        """The FIFO of its vectors."""
        return f"lane_act_{self.number}"

    @property
    def fetched(self) -> str:
        """Its weights, behind the FIFO that memory fills ahead."""
        return f"fetched_{self.number}"

    @property
    def out(self) -> str:
        """The FIFO of its results."""
        return f"lane_out_{self.number}"


def lanes_of(engine: Engine, unit: int) -> tuple[Lane, ...]:
    """The lanes of a compute unit of `engine`."""
    return tuple(Lane(number=k) for k in range(engine.lanes[unit]))


def unit_lanes(engine: Engine) -> str:
    """The lanes of all units as a C++ type."""
    return f"stb::UnitLanes<{', '.join(map(str, engine.lanes))}>"


def router_kernel(design: Design, kernel: Kernel) -> str:
    """The C++ file of a router."""
    ports = ports_of(design, kernel)
    processes = design.members(kernel.name)
    body = [
        *port_pragmas(ports),
        *(line for s in ends_of_kernel(design, kernel.name).inner for line in fifo(s)),
        *(call_line(p.name, _router_call(p, design)) for p in processes),
    ]
    main = function(f'extern "C" void {kernel.name}', parameters(ports), body)
    return cpp_file(_about_router(design, kernel), ["stb/router.hpp", "stb/stream.hpp"], [main])


def matmul_kernel(design: Design, kernel: Kernel) -> str:
    """The C++ file of a compute unit, the same for every unit of an engine with as many lanes."""
    op = design.members(kernel.name)[0].op
    assert isinstance(op, ComputeUnit)
    engine = design.engines[op.engine]
    lanes = lanes_of(engine, op.unit)
    ports = ports_of(design, kernel)
    inner = [name for lane in lanes for name in (lane.desc, lane.out)]
    fan = ", ".join(f"{lane.desc}, {lane.act}" for lane in lanes)
    outs = ", ".join(lane.out for lane in lanes)
    shape = lane_shape(design, op.engine)
    body = [
        *port_pragmas(ports),
        *(f"STB_FIFO(stb::Word, {name}, {LANE_WORDS})" for name in ("merge_desc", *inner)),
        *(line for lane in lanes for line in _acts(lane)),
        *(_prefetch(lane, engine) for lane in lanes),
        call_line(ACT_FAN, f"stb::act_fan<{len(lanes)}>(desc, act, merge_desc, {fan})"),
        *(
            _lane_call(lane, shape, fabric)
            for lane, fabric in zip(lanes, engine.fabric_lanes(op.unit), strict=True)
        ),
        call_line(MERGE, f"stb::merge<{len(lanes)}>(merge_desc, {outs}, tiles)"),
    ]
    about = f"Kernel {kernel.name} of {design.name}: a compute unit of {len(lanes)} weight channels."
    main = function(f'extern "C" void {kernel.name}', parameters(ports), body)
    return cpp_file(about, ["stb/matmul.hpp", "stb/stream.hpp"], [main])


def _acts(lane: Lane) -> tuple[str, str]:
    """The vectors that wait for a lane: those of the next heads of attention, whose tiles others have."""
    return f"STB_FIFO(stb::Word, {lane.act}, {LANE_ACTS})", bind_storage(lane.act, Storage.BRAM)


def _prefetch(lane: Lane, engine: Engine) -> str:
    storage = engine.prefetch_storage.value
    return f"STB_PREFETCH({lane.fetched}, weights_{lane.number}, {engine.prefetch}, {storage})"


def _lane_call(lane: Lane, shape: LaneShape, fabric: int) -> str:
    """A lane of which `fabric` token lanes multiply in LUTs."""
    in_luts = f", {fabric}" if fabric else ""
    streams = f"{lane.desc}, {lane.act}, {lane.fetched}, {lane.out}"
    return call_line(lane.process, f"stb::mac_lane<{lane.number}, {shape}{in_luts}>({streams})")


def _router_call(process: Process, design: Design) -> str:
    streams = ", ".join((*process.reads, *process.writes))
    match process.op:
        case Dispatch(engine=number):
            engine = design.engines[number]
            sources = len(process.reads) - 1
            shape = f"{sources}, {unit_lanes(engine)}, {lane_shape(design, number).columns}"
            return f"stb::dispatch<{shape}>({streams})"
        case Collect(engine=number, max_tiles=tiles):
            engine = design.engines[number]
            shape = f"{unit_lanes(engine)}, {len(process.writes)}, {engine.chunk}, {tiles}"
            return f"stb::collect<{shape}>({streams})"
        case op:
            raise TypeError(f"{type(op).__name__} is not a process of a router")


def _about_router(design: Design, kernel: Kernel) -> str:
    members = design.members(kernel.name)
    sources = sum(len(p.reads) - 1 for p in members if isinstance(p.op, Dispatch))
    results = sum(len(p.writes) for p in members if isinstance(p.op, Collect))
    units = sum(len(design.engines[p.op.engine].lanes) for p in members if isinstance(p.op, Collect))
    return (
        f"Kernel {kernel.name} of {design.name}: {sources} vectors to {units} units, {results} results back."
    )
