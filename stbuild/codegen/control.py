"""The C++ of `control`: the only kernel with memory ports, started by the host once per launch."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.codegen.identifiers import memory, way_in, way_out
from stbuild.codegen.kernel import call_line, fifo
from stbuild.codegen.named_types import NamedType, windows_type
from stbuild.codegen.ports import ends_of_kernel, parameters, port_of, ports_of
from stbuild.codegen.writer import cpp_file, function
from stbuild.ir.design import BlockRuns, Design, Kernel, Process, Region, RegionKind, StreamKind
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
    """Commands; then, for every run of a block, the rows of each token in turn and the descriptors."""
    commands, rows, (desc, *_) = (
        [w for w in process.writes if design.stream(w).kind is kind]
        for kind in (StreamKind.COMMAND, StreamKind.ROWS, StreamKind.DESCRIPTOR)
    )
    body = [
        "const stb::Cmd command = stb::make_cmd(n, head != 0, pos);",
        *(f"{c}.write(command);" for c in commands),
        *_Sent(op=op, rows=tuple(rows), desc=desc, design=design).lines(),
    ]
    regions = [f"const stb::Word* {r}" for r in _sequence_regions(op)]
    scalars = [f"int {s}" for s in SCALARS]
    return function(f"static void {process.name}", [*regions, *scalars, *_writes(process, design)], body)


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """What `sequence` sends to its streams of `rows` and to `desc`."""

    op: Sequence
    rows: tuple[str, ...]
    desc: str
    design: Design

    def lines(self) -> Iterator[str]:
        """Blocks without rows of their own hand on their descriptors together with those before them."""
        sent = at = 0
        for number, block in enumerate(self.design.blocks):
            words = sum(matmul.block == number for matmul in self.design.matmuls)
            end = at + block.count * words
            if rows := list(self._token_rows(number)):
                if sent < at:
                    yield self._descriptors(str(sent), str(at))
                yield from self._runs(block, rows, at, words) if block.count > 1 else rows
                sent = end if block.count > 1 else at
            at = end
        yield self._descriptors(str(sent), str(self.design.program_words))

    def _runs(self, block: BlockRuns, rows: list[str], at: int, words: int) -> Iterator[str]:
        yield f"{block.name}_runs:"
        yield f"for (int run = 0; run < {block.count}; ++run) {{"
        yield from (f"  {line}" for line in rows)
        if words:
            yield f"  {self._descriptors(f'{at} + run * {words}', f'{at} + (run + 1) * {words}')}"
        yield "}"

    def _token_rows(self, number: int) -> Iterator[str]:
        """The rows of each token that block `number` sees."""
        block = self.design.blocks[number]
        reads = [pair for pair in zip(self.op.rows, self.rows, strict=True) if pair[0].block == number]
        if reads:
            yield f"{block.name}_rows:"
            yield f"for (int t = {'head != 0 ? n - 1 : n' if block.head else 0}; t < n; ++t) {{"
            for row, stream in reads:
                yield f"  stb::send({memory(row.region)}, {self._first_word(row)}, {row.words}, {stream});"
            yield "}"

    def _first_word(self, row: RowRead) -> str:
        number = f"stb::token_at({memory(self.op.tokens)}, t)" if row.by_token else "(pos + t)"
        if len(row.tables) > 1:
            number = f"(static_cast<std::int64_t>(run) * {row.rows} + {number})"
        return f"{number} * {row.words}"

    def _descriptors(self, first: str, end: str) -> str:
        return f"stb::sequence({memory(self.op.program)}, {first}, {end}, n, head, {self.desc});"


def _writes(process: Process, design: Design) -> list[str]:
    return parameters(tuple(port_of(design.stream(w)) for w in process.writes))


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
