"""The C++ of `control`: the only kernel with memory ports, started by the host once per launch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from stbuild.codegen.cache import (
    cache_reader,
    cache_writer,
    channel_reader,
    reader_scalars,
    reads_by_runs,
    windows_declared,
    write_pointers,
)
from stbuild.codegen.identifiers import memory, read_pointer, write_pointer
from stbuild.codegen.kernel import call_line, fifo
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
)

SCALARS = ("n", "pos", "head")
"""Tokens of the launch, position of the first, whether logits are wanted: the host's arguments."""


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """A pointer parameter of `control`."""

    name: str
    region: Region
    writes: bool

    @property
    def port(self) -> str:
        """The memory port that it goes by."""
        return (self.writes and self.region.write_port) or self.region.port

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
        Pointer(name=read_pointer(region.name), region=region, writes=False),
        Pointer(name=write_pointer(region.name), region=region, writes=True),
    )


def control_kernel(design: Design, kernel: Kernel) -> str:
    """The C++ file of `control`."""
    processes = design.members(kernel.name)
    body = [
        *_memory_pragmas(design),
        *(f"#pragma HLS INTERFACE mode = axis port = {p.name}" for p in ports_of(design, kernel)),
        *(f"#pragma HLS INTERFACE mode = s_axilite port = {s}" for s in (*SCALARS, "return")),
        "#pragma HLS DATAFLOW",
        *(line for s in ends_of_kernel(design, kernel.name).inner for line in fifo(s)),
        *(call_line(p.name, _call(p, design)) for p in processes),
    ]
    about = f"Kernel {kernel.name} of {design.name}: memory to streams and back, one launch at a time."
    main = function(f'extern "C" void {kernel.name}', control_parameters(design, kernel), body)
    windows = [line for p in processes for line in windows_declared(p, design)]
    parts = [*windows, *_functions(processes, design), main]
    return cpp_file(about, ["stb/kv_cache.hpp", "stb/kv_memory.hpp", "stb/stream.hpp"], parts)


def control_parameters(design: Design, kernel: Kernel) -> list[str]:
    """The parameters of `control`: regions, scalars, streams."""
    memories = [f"{p.type} {p.name}" for p in pointers(design)]
    return [*memories, *(f"int {s}" for s in SCALARS), *parameters(ports_of(design, kernel))]


def _memory_pragmas(design: Design) -> Iterator[str]:
    for pointer in pointers(design):
        port = f"port = {pointer.name} bundle = {pointer.port} offset = slave"
        yield f"#pragma HLS INTERFACE mode = m_axi {port} {_bursts('write' if pointer.writes else 'read')}"


def _bursts(way: str) -> str:
    """Bursts of 4 KB, and as many of them under way as hide a round trip: 16 * 64 words take 1,024 cycles."""
    return f"latency = 64 max_{way}_burst_length = 64 num_{way}_outstanding = 8"


def _functions(processes: tuple[Process, ...], design: Design) -> Iterator[str]:
    """The processes whose text depends on the design: what is read, in which order."""
    for process in processes:
        match process.op:
            case Sequence():
                yield _sequence(process, process.op, design)
            case ReadParams():
                yield _read_params(process, process.op, design)
            case ReadWeights() if reads_by_runs(process.op, design):
                yield channel_reader(process, process.op, design)
            case ReadKv():
                yield cache_reader(process, process.op, design)
            case WriteKv():
                yield cache_writer(process, process.op, design)


def _sequence(process: Process, op: Sequence, design: Design) -> str:
    """Commands; then, for every run of a block, rows of tables, those of each token in turn, descriptors."""
    commands, rows, descriptors = (
        [w for w in process.writes if design.stream(w).kind is kind]
        for kind in (StreamKind.COMMAND, StreamKind.ROWS, StreamKind.DESCRIPTOR)
    )
    sent = _Sent(op=op, rows=tuple(rows), descriptors=tuple(descriptors), design=design)
    body = [
        "const stb::Cmd command = stb::make_cmd(n, head != 0, pos);",
        *(f"{c}.write(command);" for c in commands),
        *sent.lines(),
    ]
    regions = [f"const stb::Word* {r}" for r in _sequence_regions(op)]
    scalars = [f"int {s}" for s in SCALARS]
    return function(f"static void {process.name}", [*regions, *scalars, *_writes(process, design)], body)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Descriptors `first` to `end` of the program of `engine`."""

    engine: int
    first: int
    end: int

    def with_next(self, other: "_Part") -> "_Part | None":
        """Both as one, if `other` goes on where this one ends."""
        goes_on = (other.engine, other.first) == (self.engine, self.end)
        return replace(self, end=other.end) if goes_on else None


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """What `sequence` sends to its streams of `rows` and, for each engine, of `descriptors`."""

    op: Sequence
    rows: tuple[str, ...]
    descriptors: tuple[str, ...]
    design: Design

    def lines(self) -> Iterator[str]:
        """Descriptors that follow each other in one engine's program are sent by one call."""
        pending: _Part | None = None
        for part in self._parts():
            joined = pending.with_next(part) if pending and isinstance(part, _Part) else None
            if pending and not joined:
                yield self._descriptors(pending.engine, str(pending.first), str(pending.end))
            pending = joined or (part if isinstance(part, _Part) else None)
            if not isinstance(part, _Part):
                yield from part
        if pending:
            yield self._descriptors(pending.engine, str(pending.first), str(pending.end))

    def _parts(self) -> Iterator[_Part | list[str]]:
        """Descriptors, and lines that send rows or go from run to run; each engine's last one is the end."""
        at = [0] * len(self.descriptors)
        for number, block in enumerate(self.design.blocks):
            rows = list(self._token_rows(number))
            ops = [self.design.block_descriptors(engine, number) for engine in range(len(at))]
            if block.count > 1 and (rows or sum(map(bool, ops)) > 1):
                yield list(self._runs(block, rows, at, ops))
            else:
                yield from [rows] if rows else []
                yield from (
                    _Part(engine=engine, first=at[engine], end=at[engine] + block.count * count)
                    for engine, count in enumerate(ops)
                    if count
                )
            at = [first + block.count * count for first, count in zip(at, ops, strict=True)]
        yield from (_Part(engine=engine, first=first, end=first + 1) for engine, first in enumerate(at))

    def _runs(self, block: BlockRuns, rows: list[str], at: list[int], ops: list[int]) -> Iterator[str]:
        yield f"{block.name}_runs:"
        yield f"for (int run = 0; run < {block.count}; ++run) {{"
        yield from (f"  {line}" for line in rows)
        for engine, (first, count) in enumerate(zip(at, ops, strict=True)):
            if count:
                ends = f"{first} + run * {count}", f"{first} + (run + 1) * {count}"
                yield f"  {self._descriptors(engine, *ends)}"
        yield "}"

    def _token_rows(self, number: int) -> Iterator[str]:
        """The rows of the tokens that block `number` sees."""
        block = self.design.blocks[number]
        pairs = [pair for pair in zip(self.op.rows, self.rows, strict=True) if pair[0].block == number]
        first, count = ("(pos + n - 1)", "(head != 0 ? 1 : 0)") if block.head else ("pos", "n")
        for row, stream in pairs:
            if row.in_one:
                start, words = f"{first} * {row.words}", f"{count} * {row.words}"
                yield f"stb::send({memory(row.region)}, {start}, {words}, {stream});"
        reads = [pair for pair in pairs if not pair[0].in_one]
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

    def _descriptors(self, engine: int, first: str, end: str) -> str:
        program, sizes = memory(self.op.programs[engine]), self.design.engines[engine]
        shape = f"{sizes.batch}, {sizes.channels}"
        return f"stb::sequence<{shape}>({program}, {first}, {end}, n, pos, head, {self.descriptors[engine]});"


def _writes(process: Process, design: Design) -> list[str]:
    return parameters(tuple(port_of(design.stream(w)) for w in process.writes))


def _sequence_regions(op: Sequence) -> list[str]:
    return [memory(r) for r in (*op.programs, op.tokens, *(r.region for r in op.rows))]


def _read_params(process: Process, op: ReadParams, design: Design) -> str:
    pairs = op.pairs(process.writes)
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
        case ReadWeights() if reads_by_runs(op, design):
            pointers = ", ".join((memory(op.region), *([read_pointer(op.kv)] if op.kv else [])))
            return f"{process.name}({pointers}, {', '.join(reader_scalars(op))}, {process.writes[0]})"
        case ReadWeights():
            region = memory(op.region)
            return f"stb::read_weights({region}, {op.body_words}, {op.head_words}, head, {process.writes[0]})"
        case ReadKv():
            return f"{process.name}({', '.join((read_pointer(op.region), 'n', 'pos', *process.writes))})"
        case WriteKv():
            operands = (*write_pointers(op, design), "n", "pos", *process.reads)
            return f"{process.name}({', '.join(operands)})"
        case WriteWords():
            return f"stb::write_head_words({memory(op.region)}, {op.words}, head, {process.reads[0]})"
        case _:
            raise TypeError(f"{type(op).__name__} is not a process of control")
