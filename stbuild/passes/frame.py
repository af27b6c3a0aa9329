"""The fixed frame of a design: the matmul engine's router, and the readers and writers of memory."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from stbuild.ir.design import (
    Argmax,
    Collect,
    Design,
    Dispatch,
    MatmulOp,
    ParamRead,
    Process,
    ReadParams,
    ReadWeights,
    RowRead,
    Sequence,
    Stream,
    WriteWords,
)  # fmt: skip
from stbuild.ir.graph import Embed, Graph, Linear, PositionEmbed
from stbuild.ir.types import LANES, words_of
from stbuild.passes.records import param_words
from stbuild.passes.wiring import End, ToBoundary, ToEngine

CONTROL, ROUTER, SEGMENT = "control", "router", ""
LAUNCH = -1
"""The block number of processes that belong to the launch, not to a block."""


def add_frame(design: Design, graph: Graph, arrivals: Mapping[End, str]) -> Design:
    """`design` with control's processes, the router's and the token's; `arrivals` are the streams so far."""
    processes = (
        *_control(design, graph),
        *_router(design, graph, arrivals),
        *design.processes,
        _sampler(graph, arrivals),
        *_results(design),
    )
    streams = (*_engine_streams(design), *design.streams, *_result_streams(design))
    return replace(design, processes=processes, streams=streams)


def channel_words(design: Design, channel: int, head: bool) -> int:
    """Weight words of one launch in `channel`, of the head's block or of all others."""
    return sum(
        op.tiles_in(channel, design.sizes.channels) * op.tile_words * design.blocks[op.block].count
        for op in design.matmuls
        if design.blocks[op.block].head == head
    )


def _control(design: Design, graph: Graph) -> Iterator[Process]:
    rows = tuple(_row_reads(design, graph))
    writes = ("desc", *(r.stream for r in rows))
    yield _process("sequence", CONTROL, Sequence(rows=rows), writes=writes)
    for c in range(design.sizes.channels):
        body, head = (channel_words(design, c, h) for h in (False, True))
        read = ReadWeights(channel=c, body_words=body, head_words=head)
        yield _process(f"read_weights_{c}", CONTROL, read, writes=(f"weights_{c}",))
    reads = tuple(_param_reads(graph))
    if reads:
        writes = tuple(r.stream for r in reads)
        yield _process("read_params", CONTROL, ReadParams(reads=reads), writes=writes)


def _row_reads(design: Design, graph: Graph) -> Iterator[RowRead]:
    for block in graph.blocks:
        for op in block.ops:
            if isinstance(op, Embed | PositionEmbed):
                name, words = f"{block.name}_{op.name}", op.width // LANES
                yield RowRead(region=name, stream=name, words=words, by_token=isinstance(op, Embed))
    streams = {stream.name for stream in design.streams}
    for table in graph.tables:
        if table.name in streams:
            words = table.width // LANES
            yield RowRead(region=table.name, stream=table.name, words=words, by_token=False)


def _param_reads(graph: Graph) -> Iterator[ParamRead]:
    for number, block in enumerate(graph.blocks):
        for op in block.ops:
            if param_words(op):
                stream = f"{block.name}_{op.name}_params"
                yield ParamRead(stream=stream, op=op.name, block=number, words=param_words(op))


def _router(design: Design, graph: Graph, arrivals: Mapping[End, str]) -> Iterator[Process]:
    units = range(design.sizes.units)
    sources = {op.source: _source_stream(op, graph, arrivals) for op in design.matmuls}
    engine = tuple(s for u in units for s in (f"desc_{u}", f"act_{u}"))
    reads = ("desc", *(sources[i] for i in sorted(sources)))
    yield _process("dispatch", ROUTER, Dispatch(), reads, ("desc_collect", *engine))
    results = tuple(f"{graph.blocks[op.block].name}_{op.name}" for op in design.matmuls)
    collect = Collect(max_tiles=_reorder_tiles(design))
    yield _process("collect", ROUTER, collect, ("desc_collect", *(f"tiles_{u}" for u in units)), results)


def _reorder_tiles(design: Design) -> int:
    """Tiles of the widest op that runs for several tokens: the reorder buffer's rows."""
    return max(op.tiles for op in design.matmuls if not design.blocks[op.block].head)


def _source_stream(op: MatmulOp, graph: Graph, arrivals: Mapping[End, str]) -> str:
    linear = graph.blocks[op.block].op(op.name)
    assert isinstance(linear, Linear)
    return arrivals[ToEngine(block=op.block, value=linear.x)]


def _engine_streams(design: Design) -> Iterator[Stream]:
    yield Stream(name="desc", source="sequence", sink="dispatch", words=1)
    yield Stream(name="desc_collect", source="dispatch", sink="collect", words=1)
    widest = max(op.cols for op in design.matmuls) // 32
    for u in range(design.sizes.units):
        yield Stream(name=f"desc_{u}", source="dispatch", sink=f"matmul_{u}", words=1)
        yield Stream(name=f"act_{u}", source="dispatch", sink=f"matmul_{u}", words=widest)
        yield Stream(name=f"tiles_{u}", source=f"matmul_{u}", sink="collect", words=1)
    for c in range(design.sizes.channels):
        unit = f"matmul_{c // design.sizes.lanes}"
        yield Stream(name=f"weights_{c}", source=f"read_weights_{c}", sink=unit, words=1)


def _sampler(graph: Graph, arrivals: Mapping[End, str]) -> Process:
    block = len(graph.blocks) - 1
    logits = arrivals[ToBoundary(block=block, slot=0)]
    op = Argmax(words=words_of(graph.vocab_size))
    return Process(
        name="argmax", kernel=SEGMENT, op=op, block=block, reads=(logits,), writes=("logits", "token")
    )


def _results(design: Design) -> Iterator[Process]:
    for name, words in _result_words(design):
        yield _process(f"write_{name}", CONTROL, WriteWords(region=name, words=words), reads=(name,))


def _result_streams(design: Design) -> Iterator[Stream]:
    for name, words in _result_words(design):
        yield Stream(name=name, source="argmax", sink=f"write_{name}", words=words)


def _result_words(design: Design) -> tuple[tuple[str, int], ...]:
    return (("logits", words_of(design.vocab_size)), ("token", 1))


def _process(name: str, kernel: str, op: object, reads: tuple[str, ...] = (), writes: tuple[str, ...] = ()
             ) -> Process:  # fmt: skip
    return Process(name=name, kernel=kernel, op=op, block=LAUNCH, reads=reads, writes=writes)  # type: ignore[arg-type]  # one of Plumbing
