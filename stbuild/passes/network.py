"""The dataflow generator: from the graph to processes joined by streams around the matmul engines."""

from stbuild.ir.design import BlockRuns, Design, Sizes, StreamKind
from stbuild.ir.engine import Engine
from stbuild.ir.graph import Graph
from stbuild.ir.op import Op, RowOp, StreamingOp
from stbuild.ir.param import FixedParam
from stbuild.ir.plumbing import ParamRead, RowRead
from stbuild.ir.types import LANES, words_of
from stbuild.ir.values import block_shapes
from stbuild.ir.weights import WeightIndex
from stbuild.ops.attention import Attention
from stbuild.ops.linear import Linear
from stbuild.ops.loop_head import LoopHead
from stbuild.ops.loop_tail import LoopTail
from stbuild.ops.take_last import TakeLast
from stbuild.passes.attention import VALUES, add_attention
from stbuild.passes.frame import FIXED_REGIONS, add_frame, fixed_kernels
from stbuild.passes.net import (
    COLLECT,
    READ_PARAMS,
    SEQUENCE,
    Entry,
    Net,
    OfEngine,
    OfOp,
    StreamFormat,
    Tail,
)  # fmt: skip
from stbuild.passes.schedule import bind_blocks, make_schedule
from stbuild.passes.wiring import ToBoundary, ToOp, ToTable, ends_of, head_index, is_gated, loops

Carried = dict[tuple[int, int], tuple[str, str]]
"""For block and slot the streams behind a loop's tail: back to its head, and out of the loop."""


def build_network(
    graph: Graph, index: WeightIndex, sizes: Sizes, engines: tuple[Engine, ...], platform: str
) -> Design:
    """The design of `graph` without segments, depths and places.

    Raises StbuildError when the graph cannot be mapped (see `wiring.head_index`) or a weight is
    missing or misshapen.
    """
    bound = bind_blocks(graph, engines)
    schedule = make_schedule(graph, index, engines, bound)
    blocks = _runs(graph)
    net = _network(Net(graph, engines, bound, sizes.chunk))
    add_frame(net, schedule, blocks)
    return Design(
        name=graph.name,
        platform=platform,
        sizes=sizes,
        engines=engines,
        vocab_size=graph.vocab_size,
        blocks=blocks,
        processes=tuple(net.processes),
        streams=tuple(net.streams),
        schedule=schedule,
        kernels=fixed_kernels(net),
        derived=graph.derived,
    )


def _network(net: Net) -> Net:
    """`net` with what streams between the engines and the memory."""
    graph = net.graph
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


def _flow(op: Op) -> StreamFormat:
    """The stream of the value that `op` makes."""
    return StreamFormat(op.stream_words, op.frac)


def _value(net: Net, block: int, op: Op) -> str:
    """The stream of the value that `op` makes, up to its readers."""
    key, kind = _source(net, block, op)
    ends = ends_of(net.graph, block, op.name)
    name = net.spread(net.label(block, op.name), net.process(key), _flow(op), block, ends, kind)
    if isinstance(op, RowOp):
        read = RowRead(
            region=net.regions.new(net.label(block, op.name)),
            block=block,
            words=op.width // LANES,
            rows=op.table.shape[0] if op.by_token else net.graph.context,
            first=op.first,
            by_token=op.by_token,
            values=FixedParam(param=op.table, frac=op.frac),
        )
        net.rows.append((name, read))
    return name


def _source(net: Net, block: int, op: Op) -> tuple[OfOp | OfEngine | str, StreamKind]:
    """The process that gives the value of `op`, and the kind of the stream."""
    match op:
        case Linear():
            return OfEngine(engine=net.bound[block], part=COLLECT), StreamKind.RESULT
        case RowOp():
            return SEQUENCE, StreamKind.ROWS
        case Attention():
            return OfOp(block=block, op=op.name, part=VALUES), StreamKind.DATA
        case _:
            return OfOp(block=block, op=op.name), StreamKind.DATA


def _carried(net: Net, block: int, slot: int) -> StreamFormat:
    """The stream of carried value `slot` at the entrance of `block`."""
    here = net.graph.blocks[block]
    shape = block_shapes(net.graph)[here.name][here.inputs[slot]]
    return StreamFormat(words_of(shape.width), shape.frac)


def _entrances(net: Net, block: int) -> None:
    """The streams behind the loop heads, or the head's gates, of a gated block."""
    if block == 0 or not is_gated(net.graph, block):
        return
    for slot, value in enumerate(net.graph.blocks[block].inputs):
        enter = net.process(Entry(block=block, slot=slot))
        ends = ends_of(net.graph, block, value)
        form = _carried(net, block, slot)
        net.values[block, value] = net.spread(net.label(block, value), enter, form, block, ends)


def _exits(net: Net, block: int, carried: Carried) -> None:
    """The streams behind the loop tails of a looping block: back to its head, and out of it."""
    if not loops(net.graph.blocks[block]):
        return
    after = net.graph.blocks[block + 1]
    for slot in range(len(after.inputs)):
        form = _carried(net, block + 1, slot)
        tail, enter = net.process(Tail(block=block, slot=slot)), net.process(Entry(block=block, slot=slot))
        back = net.stream(net.label(block, f"back_{slot}"), tail, enter, form, StreamKind.LOOP)
        wanted = net.label(block, f"exit_{slot}")
        if is_gated(net.graph, block + 1):
            leave = net.stream(wanted, tail, net.process(Entry(block=block + 1, slot=slot)), form)
        else:
            ends = ends_of(net.graph, block + 1, after.inputs[slot])
            leave = net.spread(wanted, tail, form, block + 1, ends)
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
            if op.position_table == table.name
        )
        if ends:
            words, source = table.width // LANES, net.process(SEQUENCE)
            name = net.spread(
                table.name, source, StreamFormat(words), ends[0].block, ends, StreamKind.ROWS, once=True
            )
            region, rows = net.regions.new(table.name), net.graph.context
            read = RowRead(region=region, block=0, words=words, rows=rows, by_token=False, values=table)
            found.append((name, read))
    return found


def _process(net: Net, block: int, op: Op) -> None:
    if isinstance(op, Attention):
        add_attention(net, block, op)
    if not isinstance(op, StreamingOp):
        return
    key, value = OfOp(block=block, op=op.name), net.values[block, op.name]
    reads = [net.arrivals[ToOp(block=block, op=op.name, slot=s)] for s in range(len(op.operands))]
    if op.position_table is not None:
        reads.append(net.arrivals[ToTable(block=block, op=op.name)])
    if op.param_words:
        form, source = StreamFormat(op.param_words), net.process(READ_PARAMS)
        wanted = f"{net.label(block, op.name)}_params"
        stream = net.stream(wanted, source, net.process(key), form, StreamKind.PARAMS)
        net.params.append((stream, ParamRead(params=op.fixed_params, block=block, words=op.param_words)))
        reads.append(stream)
    net.add(key, op, block, tuple(reads), (value,))
