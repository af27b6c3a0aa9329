"""A network of attention's processes around an engine, beside the one process that is their oracle."""

from math import e, log2
from pathlib import Path

from tests.hls_lib.emulator.attention_sizes import Sizes

LOOKAHEAD = 2
RECORDS_AT, TILES_AT = 7, 5
"""The first words of the op in the region that all share, and in those of the channels."""
WEIGHTS_AT, WEIGHTS_AFTER = 10, 2
"""The first word of the weights of every channel in `program`, if there is no engine to use them; those of a
run behind the tiles. Channel c has c and one before them, and lane 0 of a word is its place."""


def buffers(sizes: Sizes) -> tuple[str, ...]:
    """The names of the buffers in order."""
    channels = tuple(f"kv_{c}" for c in range(sizes.channels))
    return ("q", "k", "v", "sinks", "y", "oracle_y", "kv", "oracle_k", "oracle_v", "program", *channels)


def network_source(sizes: Sizes) -> str:
    """One C++ file. Scalars of a launch: n, pos, words of the program."""
    parts = (_INCLUDES, _types(sizes), _kernel(sizes), _readers(sizes), _system(sizes))
    return "\n".join(parts)


_HEADERS = (
    "attention", "attention_heads", "attention_scores", "attention_values", "attention_weights", "kv_cache",
    "kv_memory", "matmul", "plumbing", "router", "stream",
)  # fmt: skip
_INCLUDES = "\n".join((
    '#pragma GCC diagnostic ignored "-Wunused-parameter"', *(f'#include "stb/{h}.hpp"' for h in _HEADERS),
    f'#include "{Path(__file__).with_name("attention_model.hpp")}"', "using namespace stb;",
))  # fmt: skip

_INSIDE = (
    "queries", "scales", "dots", "values", "products", "scores", "tops", "value_scales", "weights", "recent",
    "totals", "sums",
)  # fmt: skip
"""Streams of the kernel."""

_OUTSIDE = (
    "q", "k", "v", "sinks", "y", "kv_in", "kv_out", "old_scales", "desc", "oracle_q", "oracle_k", "oracle_v",
    "oracle_sinks", "oracle_y", "oracle_k_in", "oracle_v_in", "oracle_k_out", "oracle_v_out",
)  # fmt: skip


def _types(sizes: Sizes) -> str:
    """What happens to scores, and the windows."""
    slopes = ", ".join(str(round(s * log2(e) * 2**24)) for s in sizes.slopes)
    cap = round(sizes.cap * log2(e) * 2**16)
    table = f"Numbers<{slopes}>" if sizes.slopes else "Always<0>"
    windows = ", ".join(map(str, sizes.windows))
    return f"""using Form = ScoreForm<{cap}, {round(2**46 / cap) if cap else 0}, {table}>;
using Windows = {f"Numbers<{windows}>" if windows else "WholeContext"};"""


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}_{i}" for i in range(count)]


def _outside(s: Sizes) -> list[str]:
    return [*_OUTSIDE, *_names("kv", s.channels)]


def _call(name: str, function: str, sizes: str, ports: str) -> str:
    return f"STB_CALL({name}, ({function}<{sizes}>({ports})))"


def _kernel(s: Sizes) -> str:
    """The four processes, the oracle, and the engine or its model."""
    commands = [f"{x}_cmd" for x in ("heads", "scores", "weights", "values", "oracle", "engine")]
    commands = commands[:-1] if s.lanes else commands
    body = [
        *(f"STB_FIFO(Cmd, {c}, 2)" for c in commands),
        *(f"STB_FIFO(Word, {n}, {s.depth})" for n in _INSIDE),
        f"STB_CALL(fan, (fan_out(cmd, {', '.join(commands)})))",
        *_attention(s),
        *(_engine(s) if s.lanes else [_model(s)]),
    ]
    return _function("void chain(Port<Cmd>& cmd", _outside(s), body)


def _attention(s: Sizes) -> list[str]:
    """Attention in four processes, and in one."""
    heads = f"{s.runs}, {s.heads}, {s.kv_heads}"
    per_head, scale = f"{heads}, {s.head_dim}, {s.chunk}", round(s.scale * log2(e) * 2**20)
    in_context = f"{heads}, {s.chunk}, {s.context}"
    kind = "_with_sinks" if s.sinks else ""
    sinks, oracle_sinks = ("sinks, ", "oracle_sinks, ") if s.sinks else ("", "")
    scored = f"products, dots, scales, old_scales, {sinks}scores, tops, value_scales"
    oracle = (
        f"oracle_q, oracle_k, oracle_v, oracle_k_in, oracle_v_in, {oracle_sinks}oracle_k_out, oracle_v_out"
    )
    return [
        _call("heads", "attention_heads", f"{per_head}, Windows",
              "heads_cmd, q, k, v, kv_in, kv_out, queries, scales, dots, values"),
        _call("scores", f"attention_scores{kind}", f"{in_context}, {scale}, Form, Windows",
              f"scores_cmd, {scored}"),
        _call("weights", "attention_weights", f"{in_context}, Windows",
              "weights_cmd, scores, tops, value_scales, weights, recent, totals"),
        _call("values", "attention_values", f"{per_head}, Windows",
              "values_cmd, sums, recent, totals, values, y"),
        _call("oracle", f"attention{kind}", f"{per_head}, {s.context}, {scale}, Form, Windows",
              f"oracle_cmd, {oracle}, oracle_y"),
    ]  # fmt: skip


def _model(s: Sizes) -> str:
    heads = f"{s.runs}, {s.kv_heads}, {s.shared}, {s.head_dim}"
    sizes = f"{heads}, {s.channels}, {s.engine_chunk}, {LOOKAHEAD}, {WEIGHTS_AT}, {WEIGHTS_AFTER}, Windows"
    ports = ", ".join(("engine_cmd", "queries", "weights", "products", "sums", *_names("kv", s.channels)))
    return _call("engine", "model_engine", sizes, ports)


def _engine(s: Sizes) -> list[str]:
    """The router, and compute units of `lanes` lanes."""
    units = range(s.channels // s.lanes)
    sized = f"UnitLanes<{', '.join([str(s.lanes)] * len(units))}>"
    max_tiles = max(2 * s.blocks, 2 * (s.head_dim // 16))
    fifos = ["desc_collect", *(f"{n}_{u}" for u in units for n in ("merge_desc", "tiles", "desc", "act"))]
    fifos += [f"lane_{n}_{c}" for c in range(s.channels) for n in ("desc", "act", "tiles")]
    to_units = ", ".join(f"desc_{u}, act_{u}" for u in units)
    results = ", ".join(f"tiles_{u}" for u in units)
    return [
        *(f"STB_FIFO(Word, {n}, 64)" for n in fifos),
        _call("dispatch", "dispatch", f"2, {sized}, {_columns(s)}",
              f"desc, queries, weights, desc_collect, {to_units}"),
        *(line for u in units for line in _unit(s, u)),
        _call("collect", "collect", f"{sized}, 2, {s.engine_chunk}, {max_tiles}",
              f"desc_collect, {results}, products, sums"),
    ]  # fmt: skip


def _columns(s: Sizes) -> int:
    """Columns that a lane stores: of a key, or all positions."""
    return -(-max(s.context, s.head_dim) // 32) * 32


def _unit(s: Sizes, unit: int) -> list[str]:
    channels = range(unit * s.lanes, (unit + 1) * s.lanes)
    pairs = ", ".join(f"lane_desc_{c}, lane_act_{c}" for c in channels)
    results = ", ".join(f"lane_tiles_{c}" for c in channels)
    rows = f"{_columns(s)}, {s.engine_chunk}, {s.token_lanes}, 32"
    return [
        _call(f"fan_{unit}", "act_fan", str(s.lanes), f"desc_{unit}, act_{unit}, merge_desc_{unit}, {pairs}"),
        *(
            _call(f"lane_{c}", "mac_lane", f"{i}, {rows}",
                  f"lane_desc_{c}, lane_act_{c}, kv_{c}, lane_tiles_{c}")
            for i, c in enumerate(channels)
        ),
        _call(f"merge_{unit}", "merge", str(s.lanes), f"merge_desc_{unit}, {results}, tiles_{unit}"),
    ]  # fmt: skip


def _control(s: Sizes) -> list[str]:
    """Memory to streams and back."""
    lines = ["STB_CALL(command, (cmd.write(make_cmd(n, false, pos))))"]
    for prefix in ("", "oracle_"):
        width, kv_width = (heads * s.head_dim // 16 for heads in (s.heads, s.kv_heads))
        words = (("q", width), ("k", kv_width), ("v", kv_width))
        lines += [_send(prefix, x, f"{s.runs} * n * {w}") for x, w in words]
        lines += [_send(prefix, "sinks", str(s.runs * s.sink_words))] if s.sinks else []
        lines.append(f"STB_CALL({prefix}y, (write_words({prefix}y_mem, {s.runs} * n * {width}, {prefix}y)))")
    return [*lines, *_oracle("k", s, s.key_words), *_oracle("v", s, s.value_words), *_cache(s)]


def _send(prefix: str, name: str, words: str) -> str:
    return f"STB_CALL({prefix}{name}, (send({name}_mem, 0, {words}, {prefix}{name})))"


def _oracle(x: str, s: Sizes, words: int) -> list[str]:
    """Records of keys and of values, which the oracle has apart."""
    sizes = f"{s.runs}, {s.context}, {words}"
    return [
        _call(f"read_oracle_{x}", "read_records", f"{sizes}, Windows", f"oracle_{x}_mem, pos, oracle_{x}_in"),
        _call(f"write_oracle_{x}", "write_records", sizes, f"oracle_{x}_mem, pos, n, oracle_{x}_out"),
    ]


def _cache(s: Sizes) -> list[str]:
    channels = ", ".join(f"kv_{c}_mem" for c in range(s.channels))
    lines = [
        _call("read", "read_kv", f"{s.runs}, {s.context}, Cache", "kv_mem, n, pos, kv_in, old_scales"),
        _call("write", "write_kv", f"{s.runs}, {s.context}, {s.channels}, Cache",
              f"pos, n, kv_out, kv_mem, {channels}"),
        *(
            f"STB_CALL(read_{c}, (read_channel_{c}(program_mem, kv_{c}_mem, n, pos, kv_{c})))"
            for c in range(s.channels)
        ),
    ]  # fmt: skip
    program = "program_mem, 0, program_words, n, pos, 1, desc"
    sequence = _call("sequence", "sequence", f"{s.engine_chunk}, {s.channels}", program)
    return [*lines, sequence] if s.lanes else lines


def _readers(s: Sizes) -> str:
    after = f"WeightSets<{0 if s.lanes else WEIGHTS_AFTER}>"
    sizes = f"{s.context}, {s.channels}, {s.engine_chunk}, {LOOKAHEAD}, {after}"
    cache = f"using Cache = KvCache<OpHeads, {RECORDS_AT}, {TILES_AT}, Windows>;"
    readers = (
        f"""static void read_channel_{c}(const Word* weights, const Word* kv, int n, int pos,
                           Port<Word>& out) {{
  using Op = KvOp<OpHeads, {TILES_AT}, WeightSets<{0 if s.lanes else f"{c}, 1"}>, Windows>;
  send_runs<{s.runs}, {c}, {sizes}, Op>(weights, {WEIGHTS_AT}, kv, n, pos, out);
}}"""
        for c in range(s.channels)
    )
    return "\n".join((f"using OpHeads = KvHeads<{s.kv_heads}, {s.shared}, {s.head_dim}>;", cache, *readers))


def _system(s: Sizes) -> str:
    memories = ", ".join(f"Word* {b}_mem" for b in buffers(s))
    scalars = "int n, int pos, int program_words, Port<Cmd>& cmd"
    control = _function(f"void control({memories}, {scalars}", _outside(s), _control(s))
    ports = ", ".join(_outside(s))
    given = ", ".join(f"static_cast<Word*>(buffers[{i}])" for i in range(len(buffers(s))))
    values = ", ".join(f"static_cast<int>(scalars[{i}])" for i in range(3))
    opened = "\n".join((
        'Port<Cmd> cmd = open_port<Cmd>("cmd", 2);',
        *(f'Port<Word> {n} = open_port<Word>("{n}", {s.depth});' for n in _outside(s)),
    ))  # fmt: skip
    return f"""{control}
namespace stb {{ namespace sim {{
void build() {{
{opened}
  const Unit unit("chain");
  chain(cmd, {ports});
}}
void launch(void* const* buffers, const std::uint64_t* scalars) {{
{opened}
  const Unit unit("control");
  control({given}, {values}, cmd, {ports});
}}
}} }}
"""


def _function(head: str, ports: list[str], body: list[str]) -> str:
    lines = "\n".join(f"  {line}" for line in body)
    return f"static {head}, {', '.join(f'Port<Word>& {p}' for p in ports)}) {{\n{lines}\n}}"
