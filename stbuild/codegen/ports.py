"""The stream ports of kernels: their order, their names in a kernel, and the streams that come to them."""

from dataclasses import dataclass

from stbuild.ir.design import Design, Kernel, KernelRole, Process, Stream, StreamKind
from stbuild.ir.plumbing import ComputeUnit

WORD, COMMAND = "stb::Word", "stb::Cmd"


@dataclass(frozen=True, kw_only=True)
class Port:
    """A stream port of a kernel: its name there and the C++ type of its tokens."""

    name: str
    element: str


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The streams of a kernel: those from outside, those to outside, and the FIFOs between its processes."""

    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    inner: tuple[Stream, ...]

    @property
    def outer(self) -> tuple[Stream, ...]:
        """The streams that come to the kernel's ports, in the order of its signature."""
        return (*self.reads, *self.writes)


def ends_of_kernel(design: Design, kernel: str) -> Ends:
    """The streams of `kernel`, of which there is one unit, by which of their ends lie in it."""
    members = {p.name for p in design.members(kernel)}
    here = [s for s in design.streams if s.source in members or s.sink in members]
    return Ends(
        reads=tuple(s for s in here if s.source not in members),
        writes=tuple(s for s in here if s.sink not in members),
        inner=tuple(s for s in here if s.source in members and s.sink in members),
    )


def element(stream: Stream) -> str:
    """The C++ type of a stream's tokens."""
    return COMMAND if stream.kind is StreamKind.COMMAND else WORD


def port_of(stream: Stream) -> Port:
    """The port, called like the stream, that `stream` comes to."""
    return Port(name=stream.name, element=element(stream))


def ports_of(design: Design, kernel: Kernel) -> tuple[Port, ...]:
    """The stream ports of `kernel` in the order of its signature."""
    if kernel.role is KernelRole.MATMUL:
        unit = design.members(kernel.name)[0]
        return tuple(Port(name=name, element=WORD) for name in _unit_ports(unit))
    return tuple(port_of(s) for s in ends_of_kernel(design, kernel.name).outer)


def arguments(design: Design, kernel: Kernel) -> tuple[tuple[str, ...], ...]:
    """For each unit of `kernel` the streams at its ports."""
    if kernel.role is KernelRole.MATMUL:
        return tuple((*p.reads, *p.writes) for p in _units(design, kernel))
    return (tuple(s.name for s in ends_of_kernel(design, kernel.name).outer),)


def port_name(design: Design, process: Process, stream: str) -> str:
    """The port by which `stream` comes to `process` in its kernel."""
    if design.kernel(process.kernel).role is not KernelRole.MATMUL:
        return stream
    return dict(zip((*process.reads, *process.writes), _unit_ports(process), strict=True))[stream]


def parameters(ports: tuple[Port, ...]) -> list[str]:
    """The ports as parameters."""
    return [f"stb::Port<{p.element}>& {p.name}" for p in ports]


def port_pragmas(ports: tuple[Port, ...]) -> list[str]:
    """The interface pragmas of a kernel that runs by itself on streams."""
    streams = [f"#pragma HLS INTERFACE mode = axis port = {p.name}" for p in ports]
    return [*streams, "#pragma HLS INTERFACE mode = ap_ctrl_none port = return", "#pragma HLS DATAFLOW"]


def _units(design: Design, kernel: Kernel) -> list[Process]:
    """The processes of a matmul kernel, unit by unit."""
    numbers = {p.op.unit: p for p in design.members(kernel.name) if isinstance(p.op, ComputeUnit)}
    return [numbers[unit] for unit in sorted(numbers)]


def _unit_ports(unit: Process) -> tuple[str, ...]:
    """The names of a compute unit's ports, the same in every unit: as its process reads and writes."""
    lanes = len(unit.reads) - 2
    return ("desc", "act", *(f"weights_{lane}" for lane in range(lanes)), "tiles")
