"""The fixed frame of a design: the readers and writers of memory, and the engines between them."""

from collections.abc import Sequence as Several

from stbuild.ir.design import BlockRuns, Kernel, KernelRole, StreamKind
from stbuild.ir.plumbing import Plumbing, ReadKv, ReadParams, ReadWeights, Sequence, WriteKv, WriteWords
from stbuild.ir.schedule import KvMatmul, MatmulOp
from stbuild.ir.types import words_of
from stbuild.ops.argmax import Argmax
from stbuild.passes.engine import LAUNCH, EngineFrame
from stbuild.passes.net import (
    ARGMAX,
    CONTROL,
    READ_KV,
    READ_PARAMS,
    SEGMENT,
    SEQUENCE,
    UNIT,
    WRITE_KV,
    KvStreams,
    Net,
    StreamFormat,
)  # fmt: skip
from stbuild.passes.wiring import ToBoundary

ROUTER = "router"
PROGRAM, TOKENS, PARAMS, KV, LOGITS, TOKEN = "program", "tokens", "params", "kv", "logits", "token"
FIXED_REGIONS = (PROGRAM, TOKENS, PARAMS, KV, LOGITS, TOKEN)
"""Regions that a design has once; the runtime knows tokens, logits and token by these names."""


def add_frame(net: Net, schedule: tuple[MatmulOp | KvMatmul, ...], blocks: tuple[BlockRuns, ...]) -> None:
    """Put the engines, control and the token around the network of the streaming ops."""
    processes, streams = list(net.processes), list(net.streams)
    net.processes.clear()
    net.streams.clear()
    engines = [
        EngineFrame.of(net, number, tuple(op for op in schedule if op.engine == number), blocks)
        for number in range(len(net.engines))
    ]
    _control(net, engines)
    for engine in engines:
        engine.add_router(kernel_name(net, ROUTER, engine.number))
    net.processes += processes
    net.streams += streams
    _results(net)
    for engine in engines:
        for number, lanes in enumerate(net.engines[engine.number].lanes):
            engine.add_unit(number, unit_kernel(net, engine.number, lanes))


def fixed_kernels(net: Net) -> tuple[Kernel, ...]:
    """The kernels that do not depend on the model."""
    numbers = range(len(net.engines))
    control = Kernel(name=CONTROL, role=KernelRole.CONTROL, units=(CONTROL,), slrs=(None,))
    return (
        control,
        *(_kernel(kernel_name(net, ROUTER, n), KernelRole.ROUTER, (kernel_name(net, ROUTER, n),))
          for n in numbers),
        *(_kernel(unit_kernel(net, n, lanes), KernelRole.MATMUL, _units(net, n, lanes))
          for n in numbers for lanes in dict.fromkeys(net.engines[n].lanes)),
    )  # fmt: skip


def kernel_name(net: Net, part: str, engine: int) -> str:
    """What the router, or a compute unit, of an engine is called."""
    return net.engine_label(engine, part)


def unit_kernel(net: Net, engine: int, lanes: int) -> str:
    """What the compute units of `lanes` lanes are called: with that number if there are others."""
    name = kernel_name(net, UNIT, engine)
    return name if len(set(net.engines[engine].lanes)) == 1 else f"{name}_of_{lanes}"


def _units(net: Net, engine: int, lanes: int) -> tuple[str, ...]:
    """The compute units of `lanes` lanes."""
    units = (u for u, count in enumerate(net.engines[engine].lanes) if count == lanes)
    return tuple(net.engine_label(engine, UNIT, u) for u in units)


def _kernel(name: str, role: KernelRole, units: tuple[str, ...]) -> Kernel:
    return Kernel(name=name, role=role, units=units, slrs=(None,) * len(units))


def _control(net: Net, engines: Several[EngineFrame]) -> None:
    programs = [PROGRAM, *(net.regions.new(net.engine_label(e.number, PROGRAM)) for e in engines[1:])]
    rows = tuple(read for _, read in net.rows)
    streams = (*(engine.desc for engine in engines), *(stream for stream, _ in net.rows))
    _add(net, SEQUENCE, Sequence(programs=tuple(programs), tokens=TOKENS, rows=rows), writes=streams)
    for engine in engines:
        for channel, stream in enumerate(s for unit in engine.units for s in unit.weights):
            read = ReadWeights(
                engine=engine.number,
                channel=channel,
                region=net.regions.new(net.engine_label(engine.number, "weights", channel)),
                kv=_tiles(net, engine, channel),
                body_words=engine.channel_words(channel, head=False),
                head_words=engine.channel_words(channel, head=True),
            )
            net.add(engine.reader(channel), read, LAUNCH, (), (stream,), CONTROL)
    if net.params:
        params = ReadParams(region=PARAMS, reads=tuple(read for _, read in net.params))
        _add(net, READ_PARAMS, params, writes=tuple(stream for stream, _ in net.params))
    _cache(net, engines)


def _tiles(net: Net, engine: EngineFrame, channel: int) -> str:
    """The region of the cache's tiles in a channel, if its engine has any."""
    return net.regions.new(net.engine_label(engine.number, "kv", channel)) if engine.attentions else ""


def _cache(net: Net, engines: Several[EngineFrame]) -> None:
    """One reader and one writer for all attention ops, since a memory port has one of each."""
    ops = sorted((op for engine in engines for op in engine.attentions), key=lambda op: op.block)
    streams: list[KvStreams] = [net.attentions[op.block, op.name] for op in ops]
    if streams:
        _add(net, READ_KV, ReadKv(region=KV), writes=tuple(x for s in streams for x in (s.records, s.scales)))
        _add(net, WRITE_KV, WriteKv(region=KV), reads=tuple(s.written for s in streams))


def _results(net: Net) -> None:
    """The logits and the token to memory."""
    block = len(net.graph.blocks) - 1
    words = words_of(net.graph.vocab_size)
    writes = []
    for region, flow in ((LOGITS, StreamFormat(words)), (TOKEN, StreamFormat(1))):
        sink = net.process(f"write_{region}")
        writes.append(net.stream(region, net.process(ARGMAX), sink, flow, StreamKind.OUTPUT))
    logits = net.arrivals[ToBoundary(block=block, slot=0)]
    net.add(ARGMAX, Argmax(words=words), block, (logits,), tuple(writes), SEGMENT)
    for region, stream, count in ((LOGITS, writes[0], words), (TOKEN, writes[1], 1)):
        write = WriteWords(region=region, words=count, token=region == TOKEN)
        _add(net, f"write_{region}", write, reads=(stream,))


def _add(net: Net, key: str, op: Plumbing, reads: tuple[str, ...] = (), writes: tuple[str, ...] = ()
         ) -> None:  # fmt: skip
    net.add(key, op, LAUNCH, reads, writes, CONTROL)
