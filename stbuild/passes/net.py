"""A network under construction: processes and streams with unique names, and where each edge arrives."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from stbuild.ir.design import Process, Stream, StreamKind
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.ir.plumbing import ParamRead, Plumbing, RowRead
from stbuild.ir.streaming import Streaming
from stbuild.ir.unique import UniqueNames
from stbuild.ops.fork import Fork
from stbuild.passes.wiring import End, ToBoundary, ToEngine, loops

CONTROL = "control"
"""The kernel that owns the memory."""
SEGMENT = ""
"""The kernel of a streaming process, until the `segments` pass finds which it is."""


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The process that takes value `slot` out of a looping block."""

    block: int
    slot: int


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The process through which value `slot` enters a block: a loop head, or the head's gate."""

    block: int
    slot: int


@dataclass(frozen=True, kw_only=True)
class OfOp:
    """The process of op `op` in block `block`, or of the part of it that `part` names."""

    block: int
    op: str
    part: str = ""


@dataclass(frozen=True, kw_only=True)
class ForkOf:
    """The fork of the stream called `wanted` that is made as number `number`."""

    wanted: str
    number: int


@dataclass(frozen=True, kw_only=True)
class OfEngine:
    """The process, or process `number`, that is `part` of an engine."""

    engine: int
    part: str
    number: int | None = None


@dataclass(frozen=True)
class StreamFormat:
    """What a stream carries for each token: words, and their fraction bits."""

    words: int
    frac: int = 0


SEQUENCE, READ_PARAMS, READ_KV, WRITE_KV, ARGMAX = "sequence", "read_params", "read_kv", "write_kv", "argmax"
"""Keys of the processes that a design has once."""
DISPATCH, COLLECT, READ_WEIGHTS, UNIT = "dispatch", "collect", "read_weights", "matmul"
"""Parts of an engine: one process each of the first two, one a channel and one a unit of the others."""


@dataclass(frozen=True, kw_only=True)
class KvStreams:
    """The streams between an attention op and its engine, and those from and to its part of the cache."""

    queries: str
    products: str
    weights: str
    sums: str
    records: str
    scales: str
    written: str


@dataclass
class Net:
    """The processes and streams made so far; lives only while one network is built.

    `bound` is the engine of each block. A process is known by a key before it is made, since streams to it
    are. `values` are the streams of
    values by block and name, `arrivals` those at their ends; `rows` and `params` the streams that memory
    feeds, with what is read for them. `attentions` are the streams of attention by block and name.
    """

    graph: Graph
    engines: tuple[Engine, ...]
    bound: tuple[int, ...]
    chunk: int
    processes: list[Process] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    values: dict[tuple[int, str], str] = field(default_factory=dict)
    arrivals: dict[End, str] = field(default_factory=dict)
    rows: list[tuple[str, RowRead]] = field(default_factory=list)
    params: list[tuple[str, ParamRead]] = field(default_factory=list)
    attentions: dict[tuple[int, str], KvStreams] = field(default_factory=dict)
    regions: UniqueNames = field(default_factory=UniqueNames)
    _process_names: UniqueNames = field(default_factory=UniqueNames)
    _stream_names: UniqueNames = field(default_factory=UniqueNames)
    _known: dict[Hashable, str] = field(default_factory=dict)

    def process(self, key: Hashable) -> str:
        """The name of the process with `key`."""
        if key not in self._known:
            self._known[key] = self._process_names.new(self._wanted(key))
        return self._known[key]

    def _wanted(self, key: Hashable) -> str:
        match key:
            case Tail():
                return self.label(key.block, f"tail_{key.slot}")
            case Entry():
                return self.label(key.block, f"enter_{key.slot}")
            case OfOp(part=""):
                return self.label(key.block, key.op)
            case OfOp():
                return f"{key.part}_{self.label(key.block, key.op)}"
            case ForkOf():
                return f"{key.wanted}_fork"
            case OfEngine():
                return self.engine_label(key.engine, key.part, key.number)
            case _:
                return str(key)

    def engine_label(self, engine: int, part: str, number: int | None = None) -> str:
        """A readable name for something of an engine: all but the first have their role in it."""
        role = f"_{self.engines[engine].role.value}" if engine else ""
        return f"{part}{role}" if number is None else f"{part}{role}_{number}"

    def label(self, block: int, name: str) -> str:
        """A readable name for something of a block."""
        return f"{self.graph.blocks[block].name}_{name}"

    def add(self, key: Hashable, op: Streaming | Plumbing, block: int, reads: tuple[str, ...],
            writes: tuple[str, ...], kernel: str = SEGMENT) -> None:  # fmt: skip
        """Make the process with `key`."""
        name = self.process(key)
        self.processes.append(
            Process(name=name, kernel=kernel, op=op, block=block, reads=reads, writes=writes)
        )

    def stream(
        self, wanted: str, source: str, sink: str, form: StreamFormat, kind: StreamKind = StreamKind.DATA
    ) -> str:
        """Make a stream between two processes; returns its name."""
        name = self._stream_names.new(wanted)
        self.streams.append(
            Stream(name=name, kind=kind, source=source, sink=sink, words=form.words, frac=form.frac)
        )
        return name

    def spread(self, wanted: str, source: str, form: StreamFormat, block: int, ends: tuple[End, ...],
               kind: StreamKind = StreamKind.DATA, once: bool = False) -> str:  # fmt: skip
        """A stream from `source` to its only end, else to a fork: in front of several, or of none.

        Nobody reads a value that the layers carry when nothing behind them needs it.
        """
        if len(ends) == 1:
            name = self.stream(wanted, source, self.sink(ends[0]), form, _kind_to(ends[0], kind))
            self.arrivals[ends[0]] = name
            return name
        key = ForkOf(wanted=wanted, number=len(self.streams))
        fork = self.process(key)
        name = self.stream(wanted, source, fork, form, kind)
        copies = tuple(
            self.stream(f"{wanted}_to_{i}", fork, self.sink(end), form, _kind_to(end, StreamKind.DATA))
            for i, end in enumerate(ends)
        )
        self.arrivals.update(zip(ends, copies, strict=True))
        self.add(key, Fork(words=form.words, once=once), block, (name,), copies)
        return name

    def sink(self, end: End) -> str:
        """The process at `end`."""
        match end:
            case ToEngine():
                return self.process(OfEngine(engine=self.bound[end.block], part=DISPATCH))
            case ToBoundary():
                return self.process(self._boundary(end.block, end.slot))
            case _:
                return self.process(OfOp(block=end.block, op=end.op))

    def _boundary(self, block: int, slot: int) -> Hashable:
        """The process that takes carried value `slot` out of `block`."""
        if loops(self.graph.blocks[block]):
            return Tail(block=block, slot=slot)
        if block == len(self.graph.blocks) - 1:
            return ARGMAX
        return Entry(block=block + 1, slot=slot)


def _kind_to(end: End, kind: StreamKind) -> StreamKind:
    return StreamKind.VECTOR if isinstance(end, ToEngine) else kind
