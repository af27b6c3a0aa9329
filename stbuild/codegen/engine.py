"""The C++ of the matmul engine: the compute unit with its lanes, and the router around the units."""

from dataclasses import dataclass

from stbuild.codegen.kernel import call_line, fifo
from stbuild.codegen.ports import ends_of_kernel, parameters, port_pragmas, ports_of
from stbuild.codegen.writer import cpp_file, function
from stbuild.ir.design import LANE_WORDS, Design, Engine, Kernel, Process
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch

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
    def out(self) -> str:
        """The FIFO of its results."""
        return f"lane_out_{self.number}"


def lanes_of(engine: Engine) -> tuple[Lane, ...]:
    """The lanes of each compute unit of `engine`."""
    return tuple(Lane(number=k) for k in range(engine.lanes))


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
    """The C++ file of a compute unit, the same for every unit of an engine."""
    number, engine = _engine_of(design, kernel)
    lanes = lanes_of(engine)
    ports = ports_of(design, kernel)
    inner = [name for lane in lanes for name in (lane.desc, lane.act, lane.out)]
    fan = ", ".join(f"{lane.desc}, {lane.act}" for lane in lanes)
    outs = ", ".join(lane.out for lane in lanes)
    shape = f"{_columns(design, number)}, {engine.chunk}, {engine.token_lanes}"
    body = [
        *port_pragmas(ports),
        *(f"STB_FIFO(stb::Word, {name}, {LANE_WORDS})" for name in ("merge_desc", *inner)),
        call_line(ACT_FAN, f"stb::act_fan<{engine.lanes}>(desc, act, merge_desc, {fan})"),
        *(_lane_call(lane, shape) for lane in lanes),
        call_line(MERGE, f"stb::merge<{engine.lanes}>(merge_desc, {outs}, tiles)"),
    ]
    about = f"Kernel {kernel.name} of {design.name}: a compute unit of {engine.lanes} weight channels."
    main = function(f'extern "C" void {kernel.name}', parameters(ports), body)
    return cpp_file(about, ["stb/matmul.hpp", "stb/stream.hpp"], [main])


def _lane_call(lane: Lane, shape: str) -> str:
    streams = f"{lane.desc}, {lane.act}, weights_{lane.number}, {lane.out}"
    return call_line(lane.process, f"stb::mac_lane<{lane.number}, {shape}>({streams})")


def _router_call(process: Process, design: Design) -> str:
    streams = ", ".join((*process.reads, *process.writes))
    match process.op:
        case Dispatch(engine=number):
            engine = design.engines[number]
            sources = len(process.reads) - 1
            shape = f"{sources}, {engine.units}, {engine.lanes}, {_columns(design, number)}"
            return f"stb::dispatch<{shape}>({streams})"
        case Collect(engine=number, max_tiles=tiles):
            engine = design.engines[number]
            shape = f"{engine.units}, {engine.lanes}, {len(process.writes)}, {engine.chunk}, {tiles}"
            return f"stb::collect<{shape}>({streams})"
        case op:
            raise TypeError(f"{type(op).__name__} is not a process of a router")


def _about_router(design: Design, kernel: Kernel) -> str:
    members = design.members(kernel.name)
    sources = sum(len(p.reads) - 1 for p in members if isinstance(p.op, Dispatch))
    results = sum(len(p.writes) for p in members if isinstance(p.op, Collect))
    units = sum(design.engines[p.op.engine].units for p in members if isinstance(p.op, Collect))
    return (
        f"Kernel {kernel.name} of {design.name}: {sources} vectors to {units} units, {results} results back."
    )


def _engine_of(design: Design, kernel: Kernel) -> tuple[int, Engine]:
    """The engine whose units `kernel` is, with its number."""
    op = design.members(kernel.name)[0].op
    assert isinstance(op, ComputeUnit)
    return op.engine, design.engines[op.engine]


def _columns(design: Design, engine: int) -> int:
    """Columns of the widest operand."""
    return design.columns(engine)
