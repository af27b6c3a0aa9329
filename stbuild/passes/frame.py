"""The fixed frame of a design: the matmul engine with its router, and the readers and writers of memory."""

from dataclasses import dataclass

from stbuild.ir.design import BlockRuns, Engine, Kernel, KernelRole, MatmulOp, StreamKind
from stbuild.ir.plumbing import (
    Collect,
    ComputeUnit,
    Dispatch,
    Plumbing,
    ReadParams,
    ReadWeights,
    Sequence,
    WriteWords,
)
from stbuild.ir.types import GROUP, words_of
from stbuild.ops.argmax import Argmax
from stbuild.ops.linear import Linear
from stbuild.passes.net import ARGMAX, COLLECT, DISPATCH, READ_PARAMS, SEGMENT, SEQUENCE, Flow, Net
from stbuild.passes.wiring import ToBoundary, ToEngine

CONTROL, ROUTER, MATMUL = "control", "router", "matmul"
LAUNCH = -1
"""The block number of processes that belong to the launch, not to a block."""
PROGRAM, TOKENS, PARAMS, LOGITS, TOKEN = "program", "tokens", "params", "logits", "token"
FIXED_REGIONS = (PROGRAM, TOKENS, PARAMS, LOGITS, TOKEN)
"""Regions that a design has once; the runtime knows tokens, logits and token by these names."""
DESCRIPTOR = Flow(1)


def add_frame(net: Net, matmuls: tuple[MatmulOp, ...], blocks: tuple[BlockRuns, ...], engine: Engine) -> None:
    """Put the engine, control and the token around the network of the streaming ops."""
    processes, streams = list(net.processes), list(net.streams)
    net.processes.clear()
    net.streams.clear()
    desc, collected, units = _engine_streams(net, matmuls, engine)
    _control(net, matmuls, blocks, engine, desc, [unit.weights for unit in units])
    _router(net, matmuls, blocks, desc, collected, units)
    net.processes += processes
    net.streams += streams
    _results(net)
    for number, unit in enumerate(units):
        op = ComputeUnit(unit=number)
        _add(net, f"{MATMUL}_{number}", MATMUL, op, (unit.desc, unit.act, *unit.weights), (unit.tiles,))


def fixed_kernels(engine: Engine) -> tuple[Kernel, ...]:
    """The kernels that do not depend on the model."""
    units = tuple(f"{MATMUL}_{u}" for u in range(engine.units))
    return (
        Kernel(name=CONTROL, role=KernelRole.CONTROL, units=(CONTROL,), slrs=(None,)),
        Kernel(name=ROUTER, role=KernelRole.ROUTER, units=(ROUTER,), slrs=(None,)),
        Kernel(name=MATMUL, role=KernelRole.MATMUL, units=units, slrs=(None,) * engine.units),
    )


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """The streams of one compute unit."""

    desc: str
    act: str
    weights: tuple[str, ...]
    tiles: str


def channel_words(matmuls: tuple[MatmulOp, ...], blocks: tuple[BlockRuns, ...], engine: Engine, channel: int,
                  head: bool) -> int:  # fmt: skip
    """Weight words of one launch in `channel`, of the head's block or of all others."""
    return sum(
        op.tiles_in(channel, engine.channels) * op.tile_words * blocks[op.block].count
        for op in matmuls
        if blocks[op.block].head == head
    )


def _engine_streams(net: Net, matmuls: tuple[MatmulOp, ...], engine: Engine
                    ) -> tuple[str, str, list[_Unit]]:  # fmt: skip
    """The descriptors for dispatch and for collect, and what every compute unit reads and writes."""
    sequence, dispatch, collect = (net.process(key) for key in (SEQUENCE, DISPATCH, COLLECT))
    desc = net.stream("desc", sequence, dispatch, DESCRIPTOR, StreamKind.DESCRIPTOR)
    collected = net.stream("desc_collect", dispatch, collect, DESCRIPTOR, StreamKind.DESCRIPTOR)
    widest = Flow(max(op.cols for op in matmuls) // GROUP)
    ends = []
    for u in range(engine.units):
        unit = net.process(f"{MATMUL}_{u}")
        ends.append((
            net.stream(f"desc_{u}", dispatch, unit, DESCRIPTOR, StreamKind.DESCRIPTOR),
            net.stream(f"act_{u}", dispatch, unit, widest, StreamKind.ACTIVATIONS),
            net.stream(f"tiles_{u}", unit, collect, Flow(1), StreamKind.TILES),
        ))  # fmt: skip
    weights = [
        net.stream(
            f"weights_{c}", net.process(f"read_weights_{c}"), net.process(f"{MATMUL}_{c // engine.lanes}"),
            Flow(1), StreamKind.WEIGHTS,
        )
        for c in range(engine.channels)
    ]  # fmt: skip
    units = [
        _Unit(desc=d, act=a, tiles=t, weights=tuple(weights[u * engine.lanes :][: engine.lanes]))
        for u, (d, a, t) in enumerate(ends)
    ]
    return desc, collected, units


def _control(net: Net, matmuls: tuple[MatmulOp, ...], blocks: tuple[BlockRuns, ...], engine: Engine,
             desc: str, weights: list[tuple[str, ...]]) -> None:  # fmt: skip
    rows = Sequence(program=PROGRAM, tokens=TOKENS, rows=tuple(read for _, read in net.rows))
    _add(net, SEQUENCE, CONTROL, rows, writes=(desc, *(stream for stream, _ in net.rows)))
    for c, stream in enumerate(s for unit in weights for s in unit):
        body, head = (channel_words(matmuls, blocks, engine, c, h) for h in (False, True))
        region = net.regions.new(f"weights_{c}")
        read = ReadWeights(channel=c, region=region, body_words=body, head_words=head)
        _add(net, f"read_weights_{c}", CONTROL, read, writes=(stream,))
    if net.params:
        params = ReadParams(region=PARAMS, reads=tuple(read for _, read in net.params))
        _add(net, READ_PARAMS, CONTROL, params, writes=tuple(stream for stream, _ in net.params))


def _router(net: Net, matmuls: tuple[MatmulOp, ...], blocks: tuple[BlockRuns, ...], desc: str,
            collected: str, units: list[_Unit]) -> None:  # fmt: skip
    sources = {op.source: _source_stream(net, op) for op in matmuls}
    engine = tuple(s for unit in units for s in (unit.desc, unit.act))
    reads = (desc, *(sources[i] for i in sorted(sources)))
    _add(net, DISPATCH, ROUTER, Dispatch(), reads, (collected, *engine))
    results = tuple(net.values[op.block, op.name] for op in matmuls)
    collect = Collect(max_tiles=_reorder_tiles(matmuls, blocks))
    _add(net, COLLECT, ROUTER, collect, (collected, *(unit.tiles for unit in units)), results)


def _reorder_tiles(matmuls: tuple[MatmulOp, ...], blocks: tuple[BlockRuns, ...]) -> int:
    """Tiles of the widest op that runs for several tokens, if any does: the reorder buffer's rows."""
    return max((op.tiles for op in matmuls if not blocks[op.block].head), default=1)


def _source_stream(net: Net, op: MatmulOp) -> str:
    linear = net.graph.blocks[op.block].op(op.name)
    assert isinstance(linear, Linear)
    return net.arrivals[ToEngine(block=op.block, value=linear.x)]


def _results(net: Net) -> None:
    """The logits and the token to memory."""
    block = len(net.graph.blocks) - 1
    words = words_of(net.graph.vocab_size)
    writes = []
    for region, flow in ((LOGITS, Flow(words)), (TOKEN, Flow(1))):
        sink = net.process(f"write_{region}")
        writes.append(net.stream(region, net.process(ARGMAX), sink, flow, StreamKind.OUTPUT))
    logits = net.arrivals[ToBoundary(block=block, slot=0)]
    net.add(ARGMAX, Argmax(words=words), block, (logits,), tuple(writes), SEGMENT)
    for region, stream, count in ((LOGITS, writes[0], words), (TOKEN, writes[1], 1)):
        write = WriteWords(region=region, words=count, token=region == TOKEN)
        _add(net, f"write_{region}", CONTROL, write, reads=(stream,))


def _add(net: Net, key: str, kernel: str, op: Plumbing, reads: tuple[str, ...] = (),
         writes: tuple[str, ...] = ()) -> None:  # fmt: skip
    net.add(key, op, LAUNCH, reads, writes, kernel)
