"""Identifiers: the one place where names of a design become unique names of C++, Verilog and the linker."""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from stbuild.codegen.reserved import ANYWHERE, C_LIBRARY, VERILOG
from stbuild.ir.design import Design, Process, Stream
from stbuild.ir.plumbing import ReadKv, ReadParams, ReadWeights, Sequence, WriteKv
from stbuild.ir.renaming import Renaming, renamed
from stbuild.ir.streaming import Streaming
from stbuild.ir.unique import UniqueNames
from stbuild.ops.numbers import WINDOWS

_RESERVED = ANYWHERE | VERILOG


def with_identifiers(design: Design) -> Design:
    """`design` with legal, unique names; one whose names are so already comes back as it is.

    Kernels are functions, their compute units cells. The streams that join two of these lie beside them, the
    others inside one kernel. All streams differ from each other and from whatever is derived from the names
    of processes and regions, since one function may hold all of them.
    """
    processes = _processes(design)
    helpers = {name for p in design.processes for name in _helpers(p, processes[p.name])}
    regions = _regions(design, helpers)
    inside = helpers.union(*(memory_names(region) for region in regions.values()))
    kernels = _kernels(design, inside)
    named = renamed(
        design,
        Renaming(
            kernels=kernels,
            processes=processes,
            streams=_streams(design, inside, set(kernels.values())),
            regions=regions,
            ports=_new(ANYWHERE, (p for r in design.regions for p in (r.port, r.write_port) if p)),
        ),
    )
    free = UniqueNames()
    return replace(named, blocks=tuple(replace(b, name=free.new(_legal(b.name))) for b in design.blocks))


def memory(region: str) -> str:
    """The parameter of `control` that points to `region`, or to a way into or out of one."""
    return f"{region}_mem"


def read_pointer(region: str) -> str:
    """The parameter of `control` for reading a region that is written too."""
    return memory(f"{region}_in")


def write_pointer(region: str) -> str:
    """The parameter of `control` for writing a region that is read too."""
    return memory(f"{region}_out")


def memory_names(region: str) -> tuple[str, ...]:
    """Every parameter that may point to `region`."""
    return memory(region), read_pointer(region), write_pointer(region)


def type_name(process: str, part: str) -> str:
    """The type that carries `part` of a process."""
    return f"{process}_{part}"


def windows_part(number: int) -> str:
    """The part of the reader of the cache that says what attention op `number` sees in each run."""
    return f"{WINDOWS}_{number}"


def table(process: str) -> str:
    """The constant that holds the table of a process."""
    return f"k_{process}"


def table_function(process: str) -> str:
    """The function around a map and its table: the operands of a dataflow region are streams and numbers."""
    return f"{process}_by_table"


def connections(design: Design) -> tuple[Stream, ...]:
    """The streams that join two compute units, in the order of the design."""
    unit = {p.name: design.unit_of(p) for p in design.processes}
    return tuple(s for s in design.streams if unit[s.source] != unit[s.sink])


def emulated_stream(named: Design, stream: Stream) -> str:
    """What the emulator calls `stream` of a design with identifiers: one inside a unit by the unit first."""
    source, sink = (named.unit_of(named.process(end)) for end in (stream.source, stream.sink))
    return f"{source}.{stream.name}" if source == sink else stream.name


def _helpers(process: Process, name: str) -> tuple[str, ...]:
    """The functions and constants of a kernel's file that are called after `process`, now called `name`."""
    match process.op:
        case Streaming() as op:
            types = tuple(type_name(name, part) for part in op.named_parts)
            return (*types, table(name), table_function(name)) if op.tabulated else types
        case ReadKv():
            count = len(process.writes) // 2
            return (name, *(type_name(name, windows_part(number)) for number in range(count)))
        case Sequence() | ReadParams() | ReadWeights() | WriteKv():
            return (name,)
        case _:
            return ()


def _processes(design: Design) -> dict[str, str]:
    free = UniqueNames(ANYWHERE)
    return {p.name: free.new(_legal(p.name), partial(_helpers, p)) for p in design.processes}


def _regions(design: Design, helpers: set[str]) -> dict[str, str]:
    free = UniqueNames(helpers)
    return {r.name: free.new(_legal(r.name), memory_names) for r in design.regions}


def _kernels(design: Design, inside: set[str]) -> dict[str, str]:
    """Kernels, then the units that are not called like their kernel."""
    names = [*(k.name for k in design.kernels), *(u for k in design.kernels for u in k.units)]
    return _new(_RESERVED | C_LIBRARY | inside, names)


def _streams(design: Design, inside: set[str], kernels: set[str]) -> dict[str, str]:
    """Those that join two compute units first: they keep their names rather than a stream inside one."""
    outer = [s.name for s in connections(design)]
    ports = _new(_RESERVED | inside | kernels, outer)
    inner = [s.name for s in design.streams if s.name not in ports]
    return ports | _new(_RESERVED | inside | set(ports.values()), inner)


def _new(taken: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """A legal name for each of `names`, none of them in `taken`."""
    free = UniqueNames(taken)
    return {name: free.new(_legal(name)) for name in dict.fromkeys(names)}


def _legal(name: str) -> str:
    """`name` in ASCII letters, digits and single underscores, a letter first."""
    text = re.sub(r"[\W_]+", "_", name, flags=re.ASCII).strip("_")
    return text if text[:1].isalpha() else f"x{text}"
