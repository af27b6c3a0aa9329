"""A Kahn network with bounded FIFOs and no values: the processes of a design and the FIFOs between them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stbuild.ir.design import Design, KernelRole, Process
from stbuild.ir.plumbing import Collect, ComputeUnit, Dispatch
from stbuild.ir.program import Launch, Program, Read
from stbuild.network.control import control_program
from stbuild.network.engine import Unit, collect_program, dispatch_program
from stbuild.network.streaming import streaming_program
from stbuild.ops.loop_head import LoopHead


@dataclass(frozen=True, kw_only=True)
class Network:
    """The programs of one launch by process, and the depth of each FIFO.

    `loops` names, for each block that repeats, the process that takes in every run but the first.
    """

    programs: Mapping[str, Program]
    depths: Mapping[str, int]
    loops: Mapping[int, str]


def network_of(design: Design, launch: Launch) -> Network:
    """The network of `design`, whose FIFOs have their depths, in one launch."""
    depths = {stream.name: stream.depth for stream in design.streams}
    outer = [process for process in design.processes if not isinstance(process.op, ComputeUnit)]
    programs = {process.name: program_of(process, design, launch) for process in outer}
    for unit in units_of(design):
        programs.update(unit.programs(launch))
        depths.update(unit.streams())
    return Network(programs=programs, depths=depths, loops=dict(_loops(design)))


def program_of(process: Process, design: Design, launch: Launch) -> Program:
    """The program of a process of `design` that is no compute unit."""
    if process.kernel and design.kernel(process.kernel).role is KernelRole.CONTROL:
        return control_program(process, design, launch)
    match process.op:
        case Dispatch(engine=engine):
            return dispatch_program(process, engine, design, launch)
        case Collect(engine=engine):
            return collect_program(process, engine, design, launch)
        case _:
            command = () if process.command is None else (Read(process.command),)
            return *command, *streaming_program(process, design, launch)


def units_of(design: Design) -> Iterator[Unit]:
    """The matmul compute units."""
    for process in design.processes:
        if isinstance(process.op, ComputeUnit):
            yield Unit(design=design, process=process, op=process.op)


def _loops(design: Design) -> Iterator[tuple[int, str]]:
    """One loop head for each block that has any."""
    seen: set[int] = set()
    for process in design.processes:
        if isinstance(process.op, LoopHead) and process.block not in seen:
            seen.add(process.block)
            yield process.block, process.name
