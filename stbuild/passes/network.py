"""The dataflow generator: from the graph to processes joined by streams around the matmul engine."""

from dataclasses import dataclass, field

from stbuild.ir.design import (
    BlockRuns,
    Design,
    Fork,
    LoopHead,
    LoopTail,
    Plumbing,
    Process,
    ReadKv,
    Sizes,
    Stream,
    TakeLast,
    WriteKv,
)  # fmt: skip
from stbuild.ir.graph import (
    AnyOp,
    Attention,
    Embed,
    Graph,
    Linear,
    PositionEmbed,
    Quantize,
    Rotary,
    operands,
)  # fmt: skip
from stbuild.ir.types import GROUP, LANES, words_of
from stbuild.ir.values import block_shapes
from stbuild.ir.weights import WeightIndex
from stbuild.passes.frame import add_frame
from stbuild.passes.records import kv_record_words, param_words
from stbuild.passes.schedule import schedule_matmuls
from stbuild.passes.wiring import (
    End,
    ToBoundary,
    ToEngine,
    ToOp,
    ToTable,
    ends_of,
    head_index,
    is_gated,
    loops,
)  # fmt: skip

CONTROL = "control"
SEGMENT = ""
"""The kernel of a streaming process, until the `segments` pass finds which it is."""


@dataclass(frozen=True)
class _Flow:
    """What a stream carries for each token: words, and their fraction bits."""

    words: int
    frac: int = 0


@dataclass
class _Net:
    """The processes and streams made so far; lives only while one network is built."""

    graph: Graph
    processes: list[Process] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    arrivals: dict[End, str] = field(default_factory=dict)

    def add(self, name: str, op: AnyOp | Plumbing, block: int, reads: tuple[str, ...],
            writes: tuple[str, ...], kernel: str = SEGMENT) -> None:  # fmt: skip
        process = Process(name=name, kernel=kernel, op=op, block=block, reads=reads, writes=writes)
        self.processes.append(process)

    def label(self, block: int, name: str) -> str:
        return f"{self.graph.blocks[block].name}_{name}"

    def stream(self, name: str, source: str, sink: str, flow: "_Flow") -> str:
        stream = Stream(name=name, source=source, sink=sink, words=flow.words, frac=flow.frac)
        self.streams.append(stream)
        return name

    def spread(self, name: str, source: str, flow: "_Flow", block: int, ends: tuple[End, ...],
               once: bool = False) -> None:  # fmt: skip
        """The stream `name` from `source` to its only end, else to a fork: in front of several, or of none.

        Nobody reads a value that the layers carry when nothing behind them needs it.
        """
        if len(ends) == 1:
            self.arrivals[ends[0]] = self.stream(name, source, self.sink(ends[0]), flow)
            return
        fork = f"{name}_fork"
        self.stream(name, source, fork, flow)
        copies = tuple(
            self.stream(f"{name}_to_{i}", fork, self.sink(end), flow) for i, end in enumerate(ends)
        )
        self.arrivals.update(zip(ends, copies, strict=True))
        self.add(fork, Fork(words=flow.words, once=once), block, (name,), copies)

    def sink(self, end: End) -> str:
        """The process at `end`."""
        match end:
            case ToEngine():
                return "dispatch"
            case ToBoundary():
                return self.boundary(end.block, end.slot)
            case _:
                return self.label(end.block, end.op)

    def boundary(self, block: int, slot: int) -> str:
        """The process that takes carried value `slot` out of `block`."""
        if loops(self.graph.blocks[block]):
            return self.label(block, f"tail_{slot}")
        if block == len(self.graph.blocks) - 1:
            return "argmax"
        return self.label(block + 1, f"enter_{slot}")


def build_network(graph: Graph, index: WeightIndex, sizes: Sizes, platform: str) -> Design:
    """The design of `graph` without kernels, depths and places.

    Raises StbuildError when the graph cannot be mapped (see `wiring.head_index`) or a weight is
    missing or misshapen.
    """
    net = _Net(graph)
    matmuls = schedule_matmuls(graph, index, sizes)
    for number, block in enumerate(graph.blocks):
        _entrances(net, number)
        for op in block.ops:
            net.spread(net.label(number, op.name), _source(net, number, op), _flow(op), number,
                       ends_of(graph, number, op.name))  # fmt: skip
        _exits(net, number)
    _tables(net)
    for number, block in enumerate(graph.blocks):
        _gates(net, number)
        for op in block.ops:
            _process(net, number, op)
    design = Design(
        name=graph.name,
        platform=platform,
        sizes=sizes,
        vocab_size=graph.vocab_size,
        blocks=_runs(graph),
        processes=tuple(net.processes),
        streams=tuple(net.streams),
        matmuls=matmuls,
    )
    return _unique(add_frame(design, graph, net.arrivals))


def _unique(design: Design) -> Design:
    """`design`, unless two streams share a name."""
    names = [stream.name for stream in design.streams]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two streams are called {sorted(twice)[0]!r}")
    return design


def _runs(graph: Graph) -> tuple[BlockRuns, ...]:
    head = head_index(graph)
    return tuple(BlockRuns(name=b.name, count=b.count, head=i == head) for i, b in enumerate(graph.blocks))


def _flow(op: AnyOp) -> _Flow:
    """The stream of the value that `op` makes."""
    return _Flow(op.width // GROUP if isinstance(op, Quantize) else words_of(op.width), op.frac)


def _source(net: _Net, block: int, op: AnyOp) -> str:
    name = net.label(block, op.name)
    match op:
        case Linear():
            return "collect"
        case Embed() | PositionEmbed():
            return "sequence"
        case _:
            return name


def _carried(net: _Net, block: int, slot: int) -> _Flow:
    """The stream of carried value `slot` at the entrance of `block`."""
    here = net.graph.blocks[block]
    shape = block_shapes(net.graph)[here.name][here.inputs[slot]]
    return _Flow(words_of(shape.width), shape.frac)


def _entrances(net: _Net, block: int) -> None:
    """The streams behind the loop heads, or the head's gates, of a gated block."""
    if block == 0 or not is_gated(net.graph, block):
        return
    for slot, value in enumerate(net.graph.blocks[block].inputs):
        flow = _carried(net, block, slot)
        enter = net.label(block, f"enter_{slot}")
        net.spread(net.label(block, value), enter, flow, block, ends_of(net.graph, block, value))


def _exits(net: _Net, block: int) -> None:
    """The streams behind the loop tails of a looping block."""
    if not loops(net.graph.blocks[block]):
        return
    after = net.graph.blocks[block + 1]
    for slot in range(len(after.inputs)):
        flow = _carried(net, block + 1, slot)
        tail = net.label(block, f"tail_{slot}")
        net.stream(net.label(block, f"back_{slot}"), tail, net.label(block, f"enter_{slot}"), flow)
        leave = net.label(block, f"exit_{slot}")
        if is_gated(net.graph, block + 1):
            net.stream(leave, tail, net.label(block + 1, f"enter_{slot}"), flow)
        else:
            net.spread(leave, tail, flow, block + 1, ends_of(net.graph, block + 1, after.inputs[slot]))


def _gates(net: _Net, block: int) -> None:
    """The processes at the entrance and exit of `block`."""
    here = net.graph.blocks[block]
    if block == 0 or not is_gated(net.graph, block):
        return
    for slot, value in enumerate(here.inputs):
        flow = _carried(net, block, slot)
        enter, out = net.label(block, f"enter_{slot}"), (net.label(block, value),)
        init = net.label(block - 1, f"exit_{slot}")
        if not loops(net.graph.blocks[block - 1]):
            init = net.arrivals[ToBoundary(block=block - 1, slot=slot)]
        if not loops(here):
            net.add(enter, TakeLast(words=flow.words), block, (init,), out)
            continue
        back, leave = net.label(block, f"back_{slot}"), net.label(block, f"exit_{slot}")
        tail = net.arrivals[ToBoundary(block=block, slot=slot)]
        net.add(enter, LoopHead(words=flow.words), block, (init, back), out)
        net.add(net.label(block, f"tail_{slot}"), LoopTail(words=flow.words), block, (tail,), (back, leave))


def _tables(net: _Net) -> None:
    """The streams of position rows, one reader per table."""
    for table in net.graph.tables:
        ends = tuple(
            ToTable(block=number, op=op.name)
            for number, block in enumerate(net.graph.blocks)
            for op in block.ops
            if isinstance(op, Rotary) and op.table == table.name
        )
        if ends:
            net.spread(table.name, "sequence", _Flow(table.width // LANES), ends[0].block, ends, once=True)


def _process(net: _Net, block: int, op: AnyOp) -> None:
    if isinstance(op, Linear | Embed | PositionEmbed):
        return
    name = net.label(block, op.name)
    reads = [net.arrivals[ToOp(block=block, op=op.name, slot=s)] for s in range(len(operands(op)))]
    writes = [name]
    if isinstance(op, Rotary):
        reads.append(net.arrivals[ToTable(block=block, op=op.name)])
    if isinstance(op, Attention):
        kv_in, kv_out = _kv(net, block, op)
        reads, writes = [*reads, *kv_in], [*kv_out, name]
    if param_words(op):
        reads.append(net.stream(f"{name}_params", "read_params", name, _Flow(param_words(op))))
    net.add(name, op, block, tuple(reads), tuple(writes))


def _kv(net: _Net, block: int, op: Attention) -> tuple[list[str], list[str]]:
    """Readers and writers of the KV records of one attention op."""
    name = net.label(block, op.name)
    ins, outs = [], []
    for part, words in zip(("k", "v"), kv_record_words(op), strict=True):
        region = f"{name}_kv_{part}"
        ins.append(net.stream(f"{region}_in", f"read_{region}", name, _Flow(words)))
        outs.append(net.stream(f"{region}_out", name, f"write_{region}", _Flow(words)))
        read = ReadKv(region=region, block=block, record_words=words, windows=op.windows)
        write = WriteKv(region=region, block=block, record_words=words)
        net.add(f"read_{region}", read, block, (), (ins[-1],), CONTROL)
        net.add(f"write_{region}", write, block, (outs[-1],), (), CONTROL)
    return ins, outs
