"""The C++ of `control` that moves the KV cache: tiles between a channel's weights, the rest beside them."""

from collections.abc import Iterator
from dataclasses import replace

from stbuild.codegen.calls import type_declaration
from stbuild.codegen.identifiers import memory, read_pointer, type_name, windows_part, write_pointer
from stbuild.codegen.ports import parameters, port_of
from stbuild.codegen.writer import function
from stbuild.ir.design import Design, Process
from stbuild.ir.kv import LOOK_AHEAD
from stbuild.ir.plumbing import ReadKv, ReadWeights, WriteKv
from stbuild.ir.schedule import EngineOps, KvMatmul, MatmulOp, op_sets
from stbuild.ops.numbers import windows_type

WHOLE = "stb::WholeContext"


def windows_declared(process: Process, design: Design) -> Iterator[str]:
    """The types with the windows of each attention op, called after the process that reads the cache."""
    if not isinstance(process.op, ReadKv):
        return
    for number, op in enumerate(design.attentions):
        if op.heads.windows:
            windows = replace(windows_type(op.heads.windows), part=windows_part(number))
            yield type_declaration(process.name, windows)


def reads_by_runs(op: ReadWeights, design: Design) -> bool:
    """Whether a channel's reader sends more than its weights once, one behind the other."""
    engine = design.engines[op.engine]
    return bool(op.kv) or (op.body_words > 0 and engine.batch < design.sizes.chunk)


def reader_scalars(op: ReadWeights) -> tuple[str, ...]:
    """The scalars that a channel's reader takes: without words of the head it need not know of one."""
    return ("n", "pos", "head") if op.head_words else ("n", "pos")


def channel_reader(process: Process, op: ReadWeights, design: Design) -> str:
    """A function that sends a channel's weights in the order of the schedule, the cache's tiles between."""
    memories = (memory(op.region), *([read_pointer(op.kv)] if op.kv else []))
    pointers, out = (f"const stb::Word* {name}" for name in memories), process.writes[0]
    body = [f"STB_COUNT(({_count(op, design)}), {out})", "std::int64_t at = 0;"]
    for number in range(len(design.blocks)):
        body += _block_lines(number, op, process, design)
    scalars = (f"int {name}" for name in reader_scalars(op))
    return function(
        f"static void {process.name}", [*pointers, *scalars, f"stb::Port<stb::Word>& {out}"], body
    )


def _block_lines(number: int, op: ReadWeights, process: Process, design: Design) -> list[str]:
    block, weights, out = design.blocks[number], memory(op.region), process.writes[0]
    ops = tuple(each for each in design.engine_ops(op.engine) if each.block == number)
    if not ops:
        return []
    parts = list(_parts(ops, op.channel, design))
    if block.head:
        words = sum(parts[0][0]) * block.count
        if not words:
            return []
        return [f"stb::send({weights}, at, head != 0 ? {words} : 0, {out});", f"at += {words};"]
    *before, (after, _) = parts
    sizes = f"{block.count}, {op.channel}, {design.sizes.context}, {_engine(op.engine, design)}, {LOOK_AHEAD}"
    kinds = ", ".join((sizes, _sets(after), *(_kv_op(sets, cached, design) for sets, cached in before)))
    tiles = read_pointer(op.kv) if op.kv else weights
    words = sum(sum(sets) for sets, _ in parts)
    return [
        f"stb::send_runs<{kinds}>({weights}, at, {tiles}, n, pos, {out});",
        f"at += {block.count * words};",
    ]


def _parts(ops: EngineOps, channel: int, design: Design) -> Iterator[tuple[tuple[int, ...], KvMatmul | None]]:
    """Words of weights, of each set of ops that read one vector, with the attention op behind them; then
    those of the run's end."""
    sets: list[int] = []
    for together in op_sets(ops):
        if isinstance(together[0], KvMatmul):
            yield tuple(sets), together[0]
            sets = []
        else:
            channels = design.engines[together[0].engine].channels
            sets.append(sum(op.tiles_in(channel, channels) * op.tile_words for op in _linear(together)))
    yield tuple(sets), None


def _linear(ops: EngineOps) -> Iterator[MatmulOp]:
    return (op for op in ops if isinstance(op, MatmulOp))


def _sets(words: tuple[int, ...]) -> str:
    return f"stb::WeightSets<{', '.join(map(str, words or (0,)))}>"


def _engine(engine: int, design: Design) -> str:
    """Channels and vectors of an engine."""
    return f"{design.engines[engine].channels}, {design.engines[engine].batch}"


def _kv_op(sets: tuple[int, ...], cached: KvMatmul | None, design: Design) -> str:
    """An attention op with the weights before it."""
    assert cached is not None
    tiles = design.tiles_start(cached)
    return f"stb::KvOp<{_heads(cached)}, {tiles}, {_sets(sets)}, {_windows(cached, design)}>"


def _heads(cached: KvMatmul) -> str:
    heads = cached.heads
    return f"stb::KvHeads<{heads.kv_heads}, {heads.shared}, {heads.head_dim}>"


def _count(op: ReadWeights, design: Design) -> str:
    """The words that the reader sends in a launch."""
    batches = f"stb::batches_of<{design.engines[op.engine].batch}>(n)"
    terms = [f"{batches} * {op.body_words}"]
    if op.head_words:
        terms.append(f"(head != 0 ? {op.head_words} : 0)")
    for cached in design.attentions:
        if cached.engine == op.engine:
            heads, runs = cached.heads, design.blocks[cached.block].count
            shape = f"{heads.kv_heads}, {heads.shared}, {heads.head_dim}, {design.sizes.context}"
            types = f"{shape}, {_engine(op.engine, design)}, {_windows(cached, design)}"
            terms.append(f"stb::kv_tile_words<{types}>({op.channel}, {runs}, n, pos)")
    return " + ".join(terms)


def _windows(cached: KvMatmul, design: Design) -> str:
    """The type with the windows of an attention op."""
    if not cached.heads.windows:
        return WHOLE
    reader = next(p for p in design.processes if isinstance(p.op, ReadKv))
    return type_name(reader.name, windows_part(design.attentions.index(cached)))


def cache_reader(process: Process, op: ReadKv, design: Design) -> str:
    """A function that sends records and scales, block after block."""
    pointer = read_pointer(op.region)
    streams = tuple(zip(process.writes[::2], process.writes[1::2], strict=True))
    body = []
    for number, ops in _by_block(design):
        operands = [s for cached in ops for s in streams[design.attentions.index(cached)]]
        types = _types(number, ops, design)
        body.append(f"stb::read_kv<{types}>({', '.join((pointer, 'n', 'pos', *operands))});")
    return function(
        f"static void {process.name}",
        [f"const stb::Word* {pointer}", *_scalars_and_streams(process.writes, design)],
        body,
    )


def cache_writer(process: Process, op: WriteKv, design: Design) -> str:
    """A function that writes records, scales and tiles, block after block."""
    body = []
    for number, ops in _by_block(design):
        streams = [process.reads[design.attentions.index(cached)] for cached in ops]
        channels = design.channels(ops[0].engine)
        memories = (write_pointer(op.region), *(write_pointer(channel.kv) for channel in channels))
        types = _types(number, ops, design, len(channels))
        body.append(f"stb::write_kv<{types}>({', '.join(('pos', 'n', *streams, *memories))});")
    pointers = [f"stb::Word* {pointer}" for pointer in write_pointers(op, design)]
    return function(
        f"static void {process.name}", [*pointers, *_scalars_and_streams(process.reads, design)], body
    )


def write_pointers(op: WriteKv, design: Design) -> tuple[str, ...]:
    """Where the writer of the cache writes: records and scales, then the channels of all engines."""
    engines = range(len(design.engines))
    regions = (channel.kv for engine in engines for channel in design.channels(engine) if channel.kv)
    return write_pointer(op.region), *map(write_pointer, regions)


def _by_block(design: Design) -> Iterator[tuple[int, list[KvMatmul]]]:
    """The blocks with attention."""
    for number in sorted({op.block for op in design.attentions}):
        yield number, [op for op in design.attentions if op.block == number]


def _types(block: int, ops: list[KvMatmul], design: Design, *sizes: int) -> str:
    """Runs, context, `sizes` and the ops as template arguments."""
    kinds = (
        f"stb::KvCache<{_heads(op)}, {design.shared_start(op)}, {design.tiles_start(op)}, "
        f"{_windows(op, design)}>"
        for op in ops
    )
    return ", ".join((*map(str, (design.blocks[block].count, design.sizes.context, *sizes)), *kinds))


def _scalars_and_streams(streams: tuple[str, ...], design: Design) -> list[str]:
    return ["int n", "int pos", *parameters(tuple(port_of(design.stream(name)) for name in streams))]
