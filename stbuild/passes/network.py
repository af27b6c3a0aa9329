"""The dataflow generator: from the graph to processes joined by streams around the matmul engine."""

from stbuild.ir.design import BlockRuns, Design, Engine, Sizes, StreamKind
from stbuild.ir.graph import AnyOp, Attention, Embed, Graph, Linear, PositionEmbed, Quantize, Rotary, operands
from stbuild.ir.plumbing import FixedParam, LoopHead, LoopTail, ParamRead, ReadKv, RowRead, TakeLast, WriteKv
from stbuild.ir.records import fixed_params, kv_record_words, param_words
from stbuild.ir.types import GROUP, LANES, words_of
from stbuild.ir.values import block_shapes
from stbuild.ir.weights import WeightIndex
from stbuild.passes.frame import CONTROL, FIXED_REGIONS, add_frame, fixed_kernels
from stbuild.passes.net import (
    COLLECT,
    READ_PARAMS,
    SEQUENCE,
    Entry,
    Flow,
    Net,
    OfOp,
    Tail,
)  # fmt: skip
from stbuild.passes.schedule import schedule_matmuls
from stbuild.passes.wiring import ToBoundary, ToOp, ToTable, ends_of, head_index, is_gated, loops

Carried = dict[tuple[int, int], tuple[str, str]]
"""For block and slot the streams behind a loop's tail: back to its head, and out of the loop."""


def build_network(graph: Graph, index: WeightIndex, sizes: Sizes, engine: Engine, platform: str) -> Design:
    """The design of `graph` without segments, depths and places.

    Raises StbuildError when the graph cannot be mapped (see `wiring.head_index`) or a weight is
    missing or misshapen.
    """
    matmuls = schedule_matmuls(graph, index, engine)
    blocks = _runs(graph)
    net = _network(graph)
    add_frame(net, matmuls, blocks, engine)
    return Design(
        name=graph.name,
        platform=platform,
        sizes=sizes,
        engines=(engine,),
        vocab_size=graph.vocab_size,
        blocks=blocks,
        processes=tuple(net.processes),
        streams=tuple(net.streams),
        matmuls=matmuls,
        kernels=fixed_kernels(engine),
    )


def _network(graph: Graph) -> Net:
    """What streams between the engine and the memory."""
    net = Net(graph)
    for name in FIXED_REGIONS:
        net.regions.new(name)
    carried: Carried = {}
    for number, block in enumerate(graph.blocks):
        _entrances(net, number)
        for op in block.ops:
            net.values[number, op.name] = _value(net, number, op)
        _exits(net, number, carried)
    tables = _tables(net)
    for number, block in enumerate(graph.blocks):
        _gates(net, number, carried)
        for op in block.ops:
            _process(net, number, op)
    net.rows += tables
    return net


def _runs(graph: Graph) -> tuple[BlockRuns, ...]:
    head = head_index(graph)
    return tuple(BlockRuns(name=b.name, count=b.count, head=i == head) for i, b in enumerate(graph.blocks))


def _flow(op: AnyOp) -> Flow:
    """The stream of the value that `op` makes."""
    return Flow(op.width // GROUP if isinstance(op, Quantize) else words_of(op.width), op.frac)


def _value(net: Net, block: int, op: AnyOp) -> str:
    """The stream of the value that `op` makes, up to its readers."""
    key, kind = _source(block, op)
    ends = ends_of(net.graph, block, op.name)
    name = net.spread(net.label(block, op.name), net.process(key), _flow(op), block, ends, kind)
    if isinstance(op, Embed | PositionEmbed):
        read = RowRead(
            region=net.regions.new(net.label(block, op.name)),
            block=block,
            words=op.width // LANES,
            rows=op.table.shape[0] if isinstance(op, Embed) else net.graph.context,
            first=op.offset if isinstance(op, PositionEmbed) else 0,
            by_token=isinstance(op, Embed),
            values=FixedParam(param=op.table, frac=op.frac),
        )
        net.rows.append((name, read))
    return name


def _source(block: int, op: AnyOp) -> tuple[OfOp | str, StreamKind]:
    """The process that gives the value of `op`, and the kind of the stream."""
    match op:
        case Linear():
            return COLLECT, StreamKind.RESULT
        case Embed() | PositionEmbed():
            return SEQUENCE, StreamKind.ROWS
        case _:
            return OfOp(block=block, op=op.name), StreamKind.DATA


def _carried(net: Net, block: int, slot: int) -> Flow:
    """The stream of carried value `slot` at the entrance of `block`."""
    here = net.graph.blocks[block]
    shape = block_shapes(net.graph)[here.name][here.inputs[slot]]
    return Flow(words_of(shape.width), shape.frac)


def _entrances(net: Net, block: int) -> None:
    """The streams behind the loop heads, or the head's gates, of a gated block."""
    if block == 0 or not is_gated(net.graph, block):
        return
    for slot, value in enumerate(net.graph.blocks[block].inputs):
        enter = net.process(Entry(block=block, slot=slot))
        ends = ends_of(net.graph, block, value)
        flow = _carried(net, block, slot)
        net.values[block, value] = net.spread(net.label(block, value), enter, flow, block, ends)


def _exits(net: Net, block: int, carried: Carried) -> None:
    """The streams behind the loop tails of a looping block: back to its head, and out of it."""
    if not loops(net.graph.blocks[block]):
        return
    after = net.graph.blocks[block + 1]
    for slot in range(len(after.inputs)):
        flow = _carried(net, block + 1, slot)
        tail, enter = net.process(Tail(block=block, slot=slot)), net.process(Entry(block=block, slot=slot))
        back = net.stream(net.label(block, f"back_{slot}"), tail, enter, flow, StreamKind.LOOP)
        wanted = net.label(block, f"exit_{slot}")
        if is_gated(net.graph, block + 1):
            leave = net.stream(wanted, tail, net.process(Entry(block=block + 1, slot=slot)), flow)
        else:
            ends = ends_of(net.graph, block + 1, after.inputs[slot])
            leave = net.spread(wanted, tail, flow, block + 1, ends)
        carried[block, slot] = (back, leave)


def _gates(net: Net, block: int, carried: Carried) -> None:
    """The processes at the entrance and exit of `block`."""
    here = net.graph.blocks[block]
    if block == 0 or not is_gated(net.graph, block):
        return
    for slot, value in enumerate(here.inputs):
        words = _carried(net, block, slot).words
        enter, out = Entry(block=block, slot=slot), (net.values[block, value],)
        if loops(net.graph.blocks[block - 1]):
            init = carried[block - 1, slot][1]
        else:
            init = net.arrivals[ToBoundary(block=block - 1, slot=slot)]
        if not loops(here):
            net.add(enter, TakeLast(words=words), block, (init,), out)
            continue
        back, leave = carried[block, slot]
        net.add(enter, LoopHead(slot=slot, words=words), block, (init, back), out)
        end = net.arrivals[ToBoundary(block=block, slot=slot)]
        tail = LoopTail(slot=slot, words=words)
        net.add(Tail(block=block, slot=slot), tail, block, (end,), (back, leave))


def _tables(net: Net) -> list[tuple[str, RowRead]]:
    """The streams of position rows, one reader per table."""
    found = []
    for table in net.graph.tables:
        ends = tuple(
            ToTable(block=number, op=op.name)
            for number, block in enumerate(net.graph.blocks)
            for op in block.ops
            if isinstance(op, Rotary) and op.table == table.name
        )
        if ends:
            words, source = table.width // LANES, net.process(SEQUENCE)
            name = net.spread(
                table.name, source, Flow(words), ends[0].block, ends, StreamKind.ROWS, once=True
            )
            region, rows = net.regions.new(table.name), net.graph.context
            read = RowRead(region=region, block=0, words=words, rows=rows, by_token=False, values=table)
            found.append((name, read))
    return found


def _process(net: Net, block: int, op: AnyOp) -> None:
    if isinstance(op, Linear | Embed | PositionEmbed):
        return
    key, value = OfOp(block=block, op=op.name), net.values[block, op.name]
    reads = [net.arrivals[ToOp(block=block, op=op.name, slot=s)] for s in range(len(operands(op)))]
    writes = [value]
    if isinstance(op, Rotary):
        reads.append(net.arrivals[ToTable(block=block, op=op.name)])
    if isinstance(op, Attention):
        kv_in, kv_out = _kv(net, block, op)
        reads, writes = [*reads, *kv_in], [*kv_out, value]
    words = param_words(op)
    if words:
        flow, source = Flow(words), net.process(READ_PARAMS)
        wanted = f"{net.label(block, op.name)}_params"
        stream = net.stream(wanted, source, net.process(key), flow, StreamKind.PARAMS)
        net.params.append((stream, ParamRead(params=tuple(fixed_params(op)), block=block, words=words)))
        reads.append(stream)
    net.add(key, op, block, tuple(reads), tuple(writes))


def _kv(net: Net, block: int, op: Attention) -> tuple[list[str], list[str]]:
    """Readers and writers of the KV records of one attention op."""
    name = net.process(OfOp(block=block, op=op.name))
    ins, outs = [], []
    for part, words in zip(("k", "v"), kv_record_words(op), strict=True):
        wanted = f"{net.label(block, op.name)}_kv_{part}"
        region = net.regions.new(wanted)
        reader, writer = f"read_{region}", f"write_{region}"
        flow = Flow(words)
        ins.append(net.stream(f"{wanted}_in", net.process(reader), name, flow, StreamKind.KV_READ))
        outs.append(net.stream(f"{wanted}_out", name, net.process(writer), flow, StreamKind.KV_WRITE))
        read = ReadKv(region=region, block=block, record_words=words, windows=op.windows)
        write = WriteKv(region=region, block=block, record_words=words)
        net.add(reader, read, block, (), (ins[-1],), CONTROL)
        net.add(writer, write, block, (outs[-1],), (), CONTROL)
    return ins, outs
