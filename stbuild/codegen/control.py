"""The C++ of `control`: the only kernel with memory ports, started by the host once per launch."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.codegen.kernel import call_line, element, ends_of_kernel, fifo
from stbuild.codegen.named_types import NamedType, windows_type
from stbuild.codegen.writer import cpp_file, function
from stbuild.ir.design import (
    Design,
    ParamRead,
    Process,
    ReadKv,
    ReadParams,
    ReadWeights,
    Region,
    Sequence,
    WriteKv,
    WriteWords,
)  # fmt: skip

SCALARS = ("n", "pos", "head")
"""Tokens of the launch, position of the first, whether logits are wanted: the host's arguments."""
PROGRAM, TOKENS, PARAMS = "program", "tokens", "params"


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
    cached = {p.op.region for p in design.processes if isinstance(p.op, ReadKv)}
    return tuple(pointer for r in design.regions for pointer in _pointers(r, r.name in cached))


def _pointers(region: Region, cached: bool) -> tuple[Pointer, ...]:
    if not cached:
        return (Pointer(name=memory(region.name), region=region, writes=region.writable),)
    ways = (("in", False), ("out", True))
    return tuple(Pointer(name=memory(f"{region.name}_{way}"), region=region, writes=w) for way, w in ways)


def control_kernel(design: Design) -> str:
    """The C++ file of `control`."""
    processes = [p for p in design.processes if p.kernel == "control"]
    ends = ends_of_kernel(design, "control")
    body = [
        *_memory_pragmas(design),
        *(f"#pragma HLS INTERFACE mode = axis port = {s.name}" for s in ends.ports),
        *(f"#pragma HLS INTERFACE mode = s_axilite port = {s}" for s in (*SCALARS, "return")),
        "#pragma HLS DATAFLOW",
        *(fifo(s) for s in ends.inner),
        *(call_line(p.name, _call(p, design)) for p in processes),
    ]
    about = f"Kernel control of {design.name}: memory to streams and back, one launch at a time."
    main = function('extern "C" void control', control_parameters(design), body)
    windows = [_windows(p.op).declaration for p in processes if isinstance(p.op, ReadKv) and p.op.windows]
    parts = [*windows, *_functions(processes, design), main]
    return cpp_file(about, ["stb/memory.hpp", "stb/stream.hpp"], parts)


def control_parameters(design: Design) -> list[str]:
    """The parameters of `control`: regions, scalars, streams."""
    ends = ends_of_kernel(design, "control")
    memories = [f"{p.type} {p.name}" for p in pointers(design)]
    ports = [f"stb::Port<{element(s)}>& {s.name}" for s in ends.ports]
    return [*memories, *(f"int {s}" for s in SCALARS), *ports]


def memory(region: str) -> str:
    """The parameter of `control` that points to `region`, or to a way into or out of one."""
    return f"{region}_mem"


def _memory_pragmas(design: Design) -> Iterator[str]:
    for pointer in pointers(design):
        port = f"port = {pointer.name} bundle = {pointer.region.port} offset = slave"
        yield f"#pragma HLS INTERFACE mode = m_axi {port}"


def _functions(processes: list[Process], design: Design) -> Iterator[str]:
    """The processes whose text depends on the design: what is read, in which order."""
    for process in processes:
        match process.op:
            case Sequence():
                yield _sequence(process, process.op, design)
            case ReadParams():
                yield _read_params(process, process.op, design)


def _sequence(process: Process, op: Sequence, design: Design) -> str:
    """Commands, then the rows of each token in turn, then the descriptors."""
    commands = [w for w in process.writes if design.stream(w).command]
    rows = [
        f"  stb::send({memory(r.region)}, {_row(r.by_token)} * {r.words}, {r.words}, {r.stream});"
        for r in op.rows
    ]
    body = [
        "const stb::Cmd command = stb::make_cmd(n, head != 0, pos);",
        *(f"{c}.write(command);" for c in commands),
        "token_rows:",
        "for (int t = 0; t < n; ++t) {",
        *rows,
        "}",
        f"stb::sequence({memory(PROGRAM)}, {design.program_words}, n, head, desc);",
    ]
    ports = [f"stb::Port<{element(design.stream(w))}>& {w}" for w in process.writes]
    regions = [f"const stb::Word* {r}" for r in _sequence_regions(op)]
    return function("static void sequence", [*regions, *(f"int {s}" for s in SCALARS), *ports], body)


def _row(by_token: bool) -> str:
    return f"stb::token_at({memory(TOKENS)}, t)" if by_token else "(pos + t)"


def _sequence_regions(op: Sequence) -> list[str]:
    return [memory(r) for r in (PROGRAM, TOKENS, *(r.region for r in op.rows))]


def _read_params(process: Process, op: ReadParams, design: Design) -> str:
    body = ["long at = 0;"]
    for number, block in enumerate(design.blocks):
        reads = [r for r in op.reads if r.block == number]
        if reads:
            body += [f"{block.name}_runs:", f"for (int run = 0; run < {block.count}; ++run) {{"]
            body += [line for read in reads for line in _param_lines(read)]
            body += ["}"]
    ports = [f"stb::Port<stb::Word>& {w}" for w in process.writes]
    return function("static void read_params", [f"const stb::Word* {memory(PARAMS)}", *ports], body)


def _param_lines(read: ParamRead) -> tuple[str, str]:
    return f"  stb::send({memory(PARAMS)}, at, {read.words}, {read.stream});", f"  at += {read.words};"


def _call(process: Process, design: Design) -> str:
    op = process.op
    match op:
        case Sequence():
            regions = _sequence_regions(op)
            return f"sequence({', '.join((*regions, *SCALARS, *process.writes))})"
        case ReadParams():
            return f"read_params({', '.join((memory(PARAMS), *process.writes))})"
        case ReadWeights():
            region = memory(f"weights_{op.channel}")
            return f"stb::read_weights({region}, {op.body_words}, {op.head_words}, head, {process.writes[0]})"
        case ReadKv():
            sizes = _kv_sizes(op.block, op.record_words, design)
            sizes += f", {_windows(op).name}" if op.windows else ""
            return f"stb::read_kv<{sizes}>({memory(op.region + '_in')}, pos, {process.writes[0]})"
        case WriteKv():
            sizes = _kv_sizes(op.block, op.record_words, design)
            return f"stb::write_kv<{sizes}>({memory(op.region + '_out')}, pos, n, {process.reads[0]})"
        case WriteWords():
            return f"stb::write_head_words({memory(op.region)}, {op.words}, head, {process.reads[0]})"
        case _:
            raise TypeError(f"{type(op).__name__} is not a process of control")


def _windows(op: ReadKv) -> NamedType:
    """How many positions a query sees in each run."""
    return windows_type(op.windows, op.region)


def _kv_sizes(block: int, record_words: int, design: Design) -> str:
    return f"{design.blocks[block].count}, {design.sizes.context}, {record_words}"
