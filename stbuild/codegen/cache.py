"""The C++ of `control` that moves the KV cache: tiles between the weights of a channel, blocks to memory."""

from collections.abc import Iterator

from stbuild.codegen.calls import type_declaration
from stbuild.codegen.identifiers import memory, read_pointer, type_name, write_pointer
from stbuild.codegen.writer import function
from stbuild.ir.design import Design, Process
from stbuild.ir.kv import LOOK_AHEAD
from stbuild.ir.plumbing import ReadKv, ReadKvScales, ReadWeights, WriteKv, WriteKvTiles
from stbuild.ir.schedule import EngineOps, KvMatmul, MatmulOp, op_sets
from stbuild.ops.numbers import WINDOWS, windows_type

WHOLE = "stb::WholeContext"


def windows_declared(process: Process, design: Design) -> Iterator[str]:
    """The type with the window of each run, called after the process that reads an attention's scales."""
    if isinstance(process.op, ReadKvScales):
        windows = design.attention(process.op.op, process.op.block).heads.windows
        if windows:
            yield type_declaration(process.name, windows_type(windows))


def reads_by_runs(op: ReadWeights, design: Design) -> bool:
    """Whether a channel's reader sends more than its weights once, one behind the other."""
    engine = design.engines[op.engine]
    return bool(op.kv) or (op.body_words > 0 and engine.batch < design.sizes.chunk)


def channel_reader(process: Process, op: ReadWeights, design: Design) -> str:
    """A function that sends a channel's weights in the order of the schedule, the cache's tiles between."""
    weights, out = memory(op.region), process.writes[0]
    cached = (f"const stb::Word* {read_pointer(region)}" for region in op.kv)
    parameters = [
        f"const stb::Word* {weights}", *cached, "int n", "int pos",
        "int head", f"stb::Port<stb::Word>& {out}",
    ]  # fmt: skip
    body = [f"STB_COUNT(({_count(op, design)}), {out})", "std::int64_t at = 0;"]
    for number in range(len(design.blocks)):
        body += _block_lines(number, op, weights, out, design)
    return function(f"static void {process.name}", parameters, body)


def _block_lines(number: int, op: ReadWeights, weights: str, out: str, design: Design) -> list[str]:
    block = design.blocks[number]
    ops = tuple(each for each in design.engine_ops(op.engine) if each.block == number)
    if not ops:
        return []
    parts = list(_parts(ops, op.channel, design))
    if block.head:
        words = sum(parts[0][0]) * block.count
        return [f"stb::send({weights}, at, head != 0 ? {words} : 0, {out});", f"at += {words};"]
    *before, (after, _) = parts
    sizes = f"{block.count}, {op.channel}, {design.sizes.context}, {_engine(op.engine, design)}, {LOOK_AHEAD}"
    kinds = ", ".join((sizes, _sets(after), *(_kv_op(sets, cached, design) for sets, cached in before)))
    regions = dict(zip(_attentions(op.engine, design), op.kv, strict=True))
    pointers = (read_pointer(regions[cached]) for _, cached in before if cached is not None)
    operands = ", ".join((weights, "at", "n", "pos", out, *pointers))
    words = sum(sum(sets) for sets, _ in parts)
    return [f"stb::send_runs<{kinds}>({operands});", f"at += {block.count * words};"]


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
    heads = cached.heads
    shape = f"stb::KvHeads<{heads.kv_heads}, {heads.shared}, {heads.head_dim}>"
    return f"stb::KvOp<{shape}, 0, {_sets(sets)}, {_windows(cached, design)}>"


def _attentions(engine: int, design: Design) -> tuple[KvMatmul, ...]:
    return tuple(op for op in design.engine_ops(engine) if isinstance(op, KvMatmul))


def _count(op: ReadWeights, design: Design) -> str:
    """The words that the reader sends in a launch."""
    batches = f"stb::batches_of<{design.engines[op.engine].batch}>(n)"
    terms = [f"{batches} * {op.body_words}", f"(head != 0 ? {op.head_words} : 0)"]
    for cached in _attentions(op.engine, design):
        heads, runs = cached.heads, design.blocks[cached.block].count
        shape = f"{heads.kv_heads}, {heads.shared}, {heads.head_dim}, {design.sizes.context}"
        types = f"{shape}, {_engine(op.engine, design)}, {_windows(cached, design)}"
        terms.append(f"stb::kv_tile_words<{types}>({op.channel}, {runs}, n, pos)")
    return " + ".join(terms)


def _windows(cached: KvMatmul, design: Design) -> str:
    """The type with the windows of an attention op."""
    if not cached.heads.windows:
        return WHOLE
    reader = next(p for p in design.processes if isinstance(p.op, ReadKvScales) and _reads(p.op, cached))
    return type_name(reader.name, WINDOWS)


def _reads(op: ReadKvScales, cached: KvMatmul) -> bool:
    return (op.op, op.block) == (cached.name, cached.block)


def cache_call(process: Process, op: ReadKv | WriteKv | ReadKvScales | WriteKvTiles, design: Design) -> str:
    """The call of a process that reads or writes records, scales or tiles."""
    runs, context = design.blocks[op.block].count, design.sizes.context
    match op:
        case ReadKv():
            pointer, out = read_pointer(op.region), process.writes[0]
            return f"stb::read_recent_kv<{runs}, {context}, {op.record_words}>({pointer}, pos, {out})"
        case WriteKv():
            pointer, found = write_pointer(op.region), process.reads[0]
            return f"stb::write_kv<{runs}, {context}, {op.record_words}>({pointer}, pos, n, {found})"
        case ReadKvScales():
            cached = design.attention(op.op, op.block)
            sizes = f"{runs}, {cached.heads.kv_heads}, {context}, {_windows(cached, design)}"
            return f"stb::read_kv_scales<{sizes}>({read_pointer(op.region)}, n, pos, {process.writes[0]})"
        case WriteKvTiles():
            cached = design.attention(op.op, op.block)
            heads, channels = cached.heads, design.engines[cached.engine].channels
            sizes = f"{runs}, {heads.kv_heads}, {heads.head_dim}, {context}, {channels}"
            pointers = ", ".join(write_pointer(region) for region in op.kv)
            operands = f"{write_pointer(op.region)}, 0, pos, n, {process.reads[0]}, {pointers}"
            return f"stb::write_kv_tiles<{sizes}>({operands})"
