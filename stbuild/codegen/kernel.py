"""The C++ of a streaming kernel: its FIFOs and the calls of its processes in a dataflow region."""

from collections.abc import Iterator

from stbuild.codegen.calls import call_of, call_text, declarations
from stbuild.codegen.ports import element, ends_of_kernel, parameters, port_pragmas, ports_of
from stbuild.codegen.writer import cpp_file, function, wrapped
from stbuild.ir.call import Call
from stbuild.ir.design import Design, Kernel, Process, Stream, StreamKind
from stbuild.ir.storage import Storage
from stbuild.ops.fan_out import FanOut
from stbuild.ops.fork import Fork
from stbuild.ops.split_params import SplitParams


def fifo(stream: Stream) -> Iterator[str]:
    """The declaration of an inner FIFO, and the memory that it lies in."""
    yield f"STB_FIFO({element(stream)}, {stream.name}, {stream.depth})"
    if stream.storage is not None:
        yield bind_storage(stream.name, stream.storage)


def bind_storage(fifo: str, storage: Storage) -> str:
    """The pragma that binds a FIFO to a memory (AMD UG1399)."""
    return f"#pragma HLS BIND_STORAGE variable = {fifo} type = fifo impl = {storage.value}"


def streaming_kernel(design: Design, kernel: Kernel) -> str:
    """The C++ file of a kernel whose processes are calls of hls_lib."""
    processes = in_order_of_flow(design, kernel)
    calls = {p.name: call_of(p, design) for p in processes}
    ports = ports_of(design, kernel)
    fifos = [line for s in ends_of_kernel(design, kernel.name).inner for line in fifo(s)]
    body = [*port_pragmas(ports), *fifos, *_calls(processes, calls)]
    includes = [f"stb/{c.header}.hpp" for c in calls.values()]
    declared = [text for p in processes for text in declarations(p, calls[p.name])]
    about = f"Kernel {kernel.name} of {design.name}: {', '.join(_subjects(processes))}."
    main = function(f'extern "C" void {kernel.name}', parameters(ports), body)
    return cpp_file(about, [*includes, "stb/stream.hpp"], [*declared, main])


def in_order_of_flow(design: Design, kernel: Kernel) -> list[Process]:
    """Producers before consumers, but for a loop's feedback: canonical dataflow (AMD UG1399)."""
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
        yield call_line(process.name, call_text(process, calls[process.name]))


def call_line(name: str, call: str) -> str:
    """One process of a dataflow region."""
    return wrapped(f"STB_CALL({name}, ({call}))", "    ")


def _subjects(processes: list[Process]) -> Iterator[str]:
    """The kernel's operations in plain words, in order."""
    for process in processes:
        if not isinstance(process.op, FanOut | Fork | SplitParams):
            yield process.name
