"""The C++ of `control`: the only kernel with memory ports, started by the host once per launch."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.codegen.identifiers import memory, way_in, way_out
from stbuild.codegen.kernel import call_line, fifo
from stbuild.codegen.named_types import NamedType, windows_type
from stbuild.codegen.ports import ends_of_kernel, parameters, port_of, ports_of
from stbuild.codegen.writer import cpp_file, function
from stbuild.ir.design import Design, Kernel, Process, Region, RegionKind, StreamKind
from stbuild.ir.plumbing import (
    ParamRead,
    ReadKv,
    ReadParams,
    ReadWeights,
    RowRead,
    Sequence,
    WriteKv,
    WriteWords,
)  # fmt: skip

SCALARS = ("n", "pos", "head")
"""Tokens of the launch, position of the first, whether logits are wanted: the host's arguments."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """A pointer parameter of `control`."""

    name: str
    region: Region
    writes: bool

    @property
    def type(self) -> str:
        """Its C++ type."""
        return f"{'' if self.writes else 'const '}stb::Word*"


def pointers(design: Design) -> tuple[Pointer, ...]:
    """The pointers in the order of the signature.

    A region that is read and written has two: v++ refuses an argument that one process of a dataflow
    region reads and another writes (AMD UG1448, message 200-976).
    """
    return tuple(pointer for region in design.regions for pointer in _pointers(region))


def _pointers(region: Region) -> tuple[Pointer, ...]:
    if region.kind is not RegionKind.KV:
        return (Pointer(name=memory(region.name), region=region, writes=region.writable),)
    return (
        Pointer(name=way_in(region.name), region=region, writes=False),
        Pointer(name=way_out(region.name), region=region, writes=True),
    )


def control_kernel(design: Design, kernel: Kernel) -> str:
    """The C++ file of `control`."""
    processes = design.members(kernel.name)
    body = [
        *_memory_pragmas(design),
        *(f"#pragma HLS INTERFACE mode = axis port = {p.name}" for p in ports_of(design, kernel)),
        *(f"#pragma HLS INTERFACE mode = s_axilite port = {s}" for s in (*SCALARS, "return")),
        "#pragma HLS DATAFLOW",
        *(fifo(s) for s in ends_of_kernel(design, kernel.name).inner),
        *(call_line(p.name, _call(p, design)) for p in processes),
    ]
    about = f"Kernel {kernel.name} of {design.name}: memory to streams and back, one launch at a time."
    main = function(f'extern "C" void {kernel.name}', control_parameters(design, kernel), body)
    windows = [
        _windows(p.name, p.op).declaration for p in processes if isinstance(p.op, ReadKv) and p.op.windows
    ]
    parts = [*windows, *_functions(processes, design), main]
    return cpp_file(about, ["stb/memory.hpp", "stb/stream.hpp"], parts)


def control_parameters(design: Design, kernel: Kernel) -> list[str]:
    """The parameters of `control`: regions, scalars, streams."""
    memories = [f"{p.type} {p.name}" for p in pointers(design)]
    return [*memories, *(f"int {s}" for s in SCALARS), *parameters(ports_of(design, kernel))]


def _memory_pragmas(design: Design) -> Iterator[str]:
    for pointer in pointers(design):
        port = f"port = {pointer.name} bundle = {pointer.region.port} offset = slave"
        yield f"#pragma HLS INTERFACE mode = m_axi {port}"


def _functions(processes: tuple[Process, ...], design: Design) -> Iterator[str]:
    """The processes whose text depends on the design: what is read, in which order."""
    for process in processes:
        match process.op:
            case Sequence():
                yield _sequence(process, process.op, design)
            case ReadParams():
                yield _read_params(process, process.op, design)


def _sequence(process: Process, op: Sequence, design: Design) -> str:
    """Commands, then the rows of each token in turn, then the descriptors."""
    commands, rows, descriptors = (
        [w for w in process.writes if design.stream(w).kind is kind]
        for kind in (StreamKind.COMMAND, StreamKind.ROWS, StreamKind.DESCRIPTOR)
    )
    reads = [
        f"  stb::send({memory(read.region)}, {_row(op, read)} * {read.words}, {read.words}, {stream});"
        for read, stream in zip(op.rows, rows, strict=True)
    ]
    words = design.program_words
    body = [
        "const stb::Cmd command = stb::make_cmd(n, head != 0, pos);",
        *(f"{c}.write(command);" for c in commands),
        "token_rows:",
        "for (int t = 0; t < n; ++t) {",
        *reads,
        "}",
        *(f"stb::sequence({memory(op.program)}, {words}, n, head, {stream});" for stream in descriptors),
    ]
    regions = [f"const stb::Word* {r}" for r in _sequence_regions(op)]
    scalars = [f"int {s}" for s in SCALARS]
    return function(f"static void {process.name}", [*regions, *scalars, *_writes(process, design)], body)


def _writes(process: Process, design: Design) -> list[str]:
    return parameters(tuple(port_of(design.stream(w)) for w in process.writes))


def _row(op: Sequence, read: RowRead) -> str:
    return f"stb::token_at({memory(op.tokens)}, t)" if read.by_token else "(pos + t)"


def _sequence_regions(op: Sequence) -> list[str]:
    return [memory(r) for r in (op.program, op.tokens, *(r.region for r in op.rows))]


def _read_params(process: Process, op: ReadParams, design: Design) -> str:
    pairs = list(zip(op.reads, process.writes, strict=True))
    body = ["long at = 0;"]
    for number, block in enumerate(design.blocks):
        reads = [pair for pair in pairs if pair[0].block == number]
        if reads:
            body += [f"{block.name}_runs:", f"for (int run = 0; run < {block.count}; ++run) {{"]
            body += [line for read, stream in reads for line in _param_lines(op, read, stream)]
            body += ["}"]
    parameter = f"const stb::Word* {memory(op.region)}"
    return function(f"static void {process.name}", [parameter, *_writes(process, design)], body)


def _param_lines(op: ReadParams, read: ParamRead, stream: str) -> tuple[str, str]:
    return f"  stb::send({memory(op.region)}, at, {read.words}, {stream});", f"  at += {read.words};"


def _call(process: Process, design: Design) -> str:
    op = process.op
    match op:
        case Sequence():
            regions = _sequence_regions(op)
            return f"{process.name}({', '.join((*regions, *SCALARS, *process.writes))})"
        case ReadParams():
            return f"{process.name}({', '.join((memory(op.region), *process.writes))})"
        case ReadWeights():
            region = memory(op.region)
            return f"stb::read_weights({region}, {op.body_words}, {op.head_words}, head, {process.writes[0]})"
        case ReadKv():
            sizes = _kv_sizes(op.block, op.record_words, design)
            sizes += f", {_windows(process.name, op).name}" if op.windows else ""
            return f"stb::read_kv<{sizes}>({way_in(op.region)}, pos, {process.writes[0]})"
        case WriteKv():
            sizes = _kv_sizes(op.block, op.record_words, design)
            return f"stb::write_kv<{sizes}>({way_out(op.region)}, pos, n, {process.reads[0]})"
        case WriteWords():
            return f"stb::write_head_words({memory(op.region)}, {op.words}, head, {process.reads[0]})"
        case _:
            raise TypeError(f"{type(op).__name__} is not a process of control")


def _windows(process: str, op: ReadKv) -> NamedType:
    """How many positions a query sees in each run."""
    return windows_type(op.windows, process)


def _kv_sizes(block: int, record_words: int, design: Design) -> str:
    return f"{design.blocks[block].count}, {design.sizes.context}, {record_words}"
