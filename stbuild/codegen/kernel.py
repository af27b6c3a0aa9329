"""The C++ of a streaming kernel: its FIFOs and the calls of its processes in a dataflow region."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.codegen.calls import Call, call_of
from stbuild.codegen.writer import cpp_file, function, number_table, wrapped
from stbuild.ir.design import Design, LoopTail, Process, Stream
from stbuild.ir.graph import Map

WORD, COMMAND = "stb::Word", "stb::Cmd"


@dataclass(frozen=True, kw_only=True)
class Ends:
    """The streams of a kernel: those from outside, those to outside, and the FIFOs between its processes."""

    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    inner: tuple[Stream, ...]

    @property
    def ports(self) -> tuple[Stream, ...]:
        """The streams that are the kernel's ports, in the order of its signature."""
        return (*self.reads, *self.writes)


def ends_of_kernel(design: Design, kernel: str) -> Ends:
    """The streams of `kernel`, by which of their ends lie in it."""
    members = {p.name for p in design.processes if p.kernel == kernel}
    here = [s for s in design.streams if s.source in members or s.sink in members]
    return Ends(
        reads=tuple(s for s in here if s.source not in members),
        writes=tuple(s for s in here if s.sink not in members),
        inner=tuple(s for s in here if s.source in members and s.sink in members),
    )


def element(stream: Stream) -> str:
    """The C++ type of a stream's tokens."""
    return COMMAND if stream.command else WORD


def port_parameters(ports: tuple[Stream, ...]) -> list[str]:
    """The ports as parameters."""
    return [f"stb::Port<{element(s)}>& {s.name}" for s in ports]


def port_pragmas(ports: tuple[Stream, ...]) -> list[str]:
    """The interface pragmas of a kernel that runs by itself on streams."""
    streams = [f"#pragma HLS INTERFACE mode = axis port = {s.name}" for s in ports]
    return [*streams, "#pragma HLS INTERFACE mode = ap_ctrl_none port = return", "#pragma HLS DATAFLOW"]


def fifo(stream: Stream) -> str:
    """The declaration of an inner FIFO."""
    return f"STB_FIFO({element(stream)}, {stream.name}, {stream.depth})"


def streaming_kernel(design: Design, kernel: str) -> str:
    """The C++ file of a kernel whose processes are all rows of the table `codegen.calls`."""
    processes = in_order_of_flow([p for p in design.processes if p.kernel == kernel])
    calls = {p.name: call_of(p, design) for p in processes}
    ends = ends_of_kernel(design, kernel)
    body = [*port_pragmas(ends.ports), *(fifo(s) for s in ends.inner), *_calls(processes, calls)]
    includes = [f"stb/{c.header}.hpp" for c in calls.values()]
    about = f"Kernel {kernel} of {design.name}: {', '.join(_subjects(processes))}."
    main = function(f'extern "C" void {kernel}', port_parameters(ends.ports), body)
    return cpp_file(about, [*includes, "stb/stream.hpp"], [*_tables(processes, calls), main])


def in_order_of_flow(processes: list[Process]) -> list[Process]:
    """Producers before consumers, as canonical dataflow wants it (AMD UG1399); a loop's way back is none."""
    waiting, ordered, due = list(processes), list[Process](), dict[str, str]()
    for process in processes:
        back = process.writes[:1] if isinstance(process.op, LoopTail) else ()
        due.update({stream: process.name for stream in process.writes if stream not in back})
    while waiting:
        ahead = {p.name for p in waiting}
        ready = next(p for p in waiting if not any(due.get(s) in ahead for s in p.reads))
        waiting.remove(ready)
        ordered.append(ready)
    return ordered


def _calls(processes: list[Process], calls: dict[str, Call]) -> Iterator[str]:
    for process in processes:
        yield call_line(process.name, _call_text(process, calls[process.name]))


def call_line(name: str, call: str) -> str:
    """One process of a dataflow region."""
    return wrapped(f"STB_CALL({name}, ({call}))", "    ")


def _call_text(process: Process, call: Call) -> str:
    if process.name.endswith("_commands"):
        return call.text((*process.reads, *process.writes))
    command = f"{process.name}_cmd"
    if isinstance(process.op, Map):
        return f"{_map_function(process)}({', '.join((command, *process.reads, *process.writes))})"
    if call.results_first:
        return call.text((command, *process.writes, *process.reads))
    return call.text((command, *process.reads, *process.writes))


def _subjects(processes: list[Process]) -> Iterator[str]:
    """The kernel's operations in plain words, in order."""
    for process in processes:
        if not process.name.endswith(("_commands", "_fork")):
            yield process.name


def _tables(processes: list[Process], calls: dict[str, Call]) -> Iterator[str]:
    for process in processes:
        yield from (t.declaration for t in calls[process.name].types)
        if isinstance(process.op, Map):
            yield _map_table(process.name, process.op)
            ports = ("stb::Port<stb::Cmd>& cmd", "stb::Port<stb::Word>& x", "stb::Port<stb::Word>& y")
            call = calls[process.name].text(("cmd", "x", "y"))
            yield function(f"static void {_map_function(process)}", ports, [f"{call};"])


def _map_function(process: Process) -> str:
    """A function around a map and its table: the operands of a dataflow region are streams and numbers."""
    return f"{process.name}_by_table"


def _map_table(name: str, op: Map) -> str:
    rows = [
        f"// {op.function}, linear between -16, -15.875, ... 16.",
        f"static const stb::MapTable k_{name} = {{",
        *(
            f"    {line}"
            for line in ("{", *number_table(op.bases), "},", "{", *number_table(op.slopes), "},")
        ),
        "};",
    ]
    return "\n".join(rows)
