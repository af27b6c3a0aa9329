"""The C++ of a streaming kernel: its FIFOs and the calls of its processes in a dataflow region."""

from collections.abc import Iterator

from stbuild.codegen.calls import Call, call_of
from stbuild.codegen.identifiers import table, table_function
from stbuild.codegen.ports import element, ends_of_kernel, parameters, port_pragmas, ports_of
from stbuild.codegen.writer import cpp_file, function, number_table, wrapped
from stbuild.ir.design import Design, Kernel, Process, Stream, StreamKind
from stbuild.ir.graph import Map
from stbuild.ir.plumbing import FanOut, Fork


def fifo(stream: Stream) -> str:
    """The declaration of an inner FIFO."""
    return f"STB_FIFO({element(stream)}, {stream.name}, {stream.depth})"


def streaming_kernel(design: Design, kernel: Kernel) -> str:
    """The C++ file of a kernel whose processes are all rows of the table `codegen.calls`."""
    processes = in_order_of_flow(design, kernel)
    calls = {p.name: call_of(p, design) for p in processes}
    ports = ports_of(design, kernel)
    fifos = [fifo(s) for s in ends_of_kernel(design, kernel.name).inner]
    body = [*port_pragmas(ports), *fifos, *_calls(processes, calls)]
    includes = [f"stb/{c.header}.hpp" for c in calls.values()]
    about = f"Kernel {kernel.name} of {design.name}: {', '.join(_subjects(processes))}."
    main = function(f'extern "C" void {kernel.name}', parameters(ports), body)
    return cpp_file(about, [*includes, "stb/stream.hpp"], [*_tables(processes, calls), main])


def in_order_of_flow(design: Design, kernel: Kernel) -> list[Process]:
    """Producers before consumers, as canonical dataflow wants it (AMD UG1399); a loop's way back is none."""
    waiting, ordered = list(design.members(kernel.name)), list[Process]()
    due = {s.name: s.source for s in design.streams if s.kind is not StreamKind.LOOP}
    while waiting:
        ahead = {p.name for p in waiting}
        ready = next(p for p in waiting if not any(due.get(s) in ahead for s in p.inputs))
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
    streams = (*process.inputs, *process.writes)
    if isinstance(process.op, Map):
        return f"{table_function(process.name)}({', '.join(streams)})"
    if call.results_first:
        command = process.inputs[: len(process.inputs) - len(process.reads)]
        return call.text((*command, *process.writes, *process.reads))
    return call.text(streams)


def _subjects(processes: list[Process]) -> Iterator[str]:
    """The kernel's operations in plain words, in order."""
    for process in processes:
        if not isinstance(process.op, FanOut | Fork):
            yield process.name


def _tables(processes: list[Process], calls: dict[str, Call]) -> Iterator[str]:
    for process in processes:
        yield from (t.declaration for t in calls[process.name].types)
        if isinstance(process.op, Map):
            yield _map_table(process.name, process.op)
            ports = ("stb::Port<stb::Cmd>& cmd", "stb::Port<stb::Word>& x", "stb::Port<stb::Word>& y")
            call = calls[process.name].text(("cmd", "x", "y"))
            yield function(f"static void {table_function(process.name)}", ports, [f"{call};"])


def _map_table(name: str, op: Map) -> str:
    rows = [
        f"// {op.function}, linear between -16, -15.875, ... 16.",
        f"static const stb::MapTable {table(name)} = {{",
        *(
            f"    {line}"
            for line in ("{", *number_table(op.bases), "},", "{", *number_table(op.slopes), "},")
        ),
        "};",
    ]
    return "\n".join(rows)
