"""A network of attention's processes around an engine, beside the one process that is their oracle."""

from dataclasses import dataclass
from math import log2, e

LOOKAHEAD = 2
WEIGHTS_AT, WEIGHTS_AFTER = 10, 2
"""Where the weights of every channel begin in `program` if there is no engine to use them: in a run c + 1 words
of channel c before its tiles, and two behind. The model of the engine checks that lane 0 is a word's place."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the network is generated for."""

    heads: int
    kv_heads: int
    head_dim: int
    runs: int = 1
    chunk: int = 8
    context: int = 150
    channels: int = 3
    lanes: int = 0
    """Lanes of a compute unit of the real engine; 0: the model of it."""
    engine_chunk: int = 8
    token_lanes: int = 3
    scale: float = 0.25
    cap: float = 0.0
    slopes: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    sinks: bool = False
    depth: int = 1 << 14
    label: str = ""

    @property
    def name(self) -> str:
        """The id of a test."""
        return f"{self.heads}_{self.kv_heads}_{self.head_dim}{self.label}"

    @property
    def shared(self) -> int:
        """Heads of q that share one of k and v."""
        return self.heads // self.kv_heads

    @property
    def blocks(self) -> int:
        """Blocks of the context."""
        return -(-self.context // 32)

    @property
    def value_words(self) -> int:
        """Words of a V record."""
        return self.kv_heads * -(-self.head_dim // 64)

    @property
    def key_words(self) -> int:
        """Words of a K record."""
        return self.value_words + -(-self.kv_heads // 16)

    @property
    def sink_words(self) -> int:
        """Words of a run's sinks."""
        return -(-self.heads // 16)

    @property
    def channel_words(self) -> int:
        """Words of a channel's region."""
        keys = -(-2 * self.blocks // self.channels) * (-(-self.head_dim // 32)) * 8
        values = -(-(self.head_dim // 16) // self.channels) * self.blocks * 8
        return self.runs * self.kv_heads * (keys + values)

    @property
    def scale_words(self) -> int:
        """Words of the region of scales."""
        return self.runs * self.kv_heads * 2 * self.blocks


def buffers(sizes: Sizes) -> tuple[str, ...]:
    """The names of the buffers in order."""
    channels = tuple(f"kv_{c}" for c in range(sizes.channels))
    return ("q", "k", "v", "sinks", "y", "y_oracle", "kv_k", "kv_v", "oracle_k", "oracle_v", "kv_scales",
            "program", *channels)  # fmt: skip


def network_source(sizes: Sizes) -> str:
    """One C++ file. Scalars of a launch: n, pos, words of the program."""
    unused = '#pragma GCC diagnostic ignored "-Wunused-parameter"'
    return "\n".join((unused, _INCLUDES, _types(sizes), _MODEL, _kernels(sizes), _system(sizes)))


_INCLUDES = "\n".join(
    f'#include "stb/{h}.hpp"'
    for h in (
        "attention", "attention_heads", "attention_scores", "attention_values", "attention_weights",
        "kv_memory", "matmul", "plumbing", "router", "stream",
    )
)  # fmt: skip

_MODEL = """
namespace stb {
// A value of a tile's square of 8 words.
inline int tile_value(const Word* words, int row, int column) {
  const int at = 4 * row + column % 4;
  const int shift = column % 8 < 4 ? 0 : 4;
  const int low = (byte_at(words[column / 8], at) >> shift) & 15;
  return low + 16 * ((byte_at(words[4 + column / 8], at) >> shift) & 15) - 128;
}

// One raw op: `rows` rows of `groups` words of 32 bytes, `tiles` tiles from channel `base` on.
template <int CHANNELS, bool UNSIGNED, typename... Ports>
void model_op(int rows, int groups, int tiles, int base, Port<Word>& in, Port<Word>& out, Ports&... kv) {
  static Word x[4096];
  static Word y[65536];
  static Word tile[16384];
  for (int i = 0; i < rows * groups; ++i) x[i] = in.read();
  for (int t = 0; t < tiles; ++t) {
    for (int i = 0; i < 8 * groups; ++i) tile[i] = PortRange<0, CHANNELS>::read((base + t) % CHANNELS, kv...);
    for (int row = 0; row < rows; ++row) {
      Word sums = zero_word();
      for (int r = 0; r < kTileRows; ++r) {
        int sum = 0;
        for (int c = 0; c < 32 * groups; ++c) {
          const int byte = byte_at(x[row * groups + c / 32], c % 32);
          sum += tile_value(tile + c / 32 * 8, r, c % 32) * (UNSIGNED ? byte : static_cast<std::int8_t>(byte));
        }
        set_lane(sums, r, sum);
      }
      y[row * tiles + t] = sums;
    }
  }
  for (int i = 0; i < rows * tiles; ++i) out.write(y[i]);
}

// Channel c gives the words from WEIGHTS_AT + run * (c + 1 + WEIGHTS_AFTER) on.
template <int CHANNELS, typename... Ports>
void check_weights(int channel, int at, int count, Ports&... kv) {
  for (int i = 0; i < count; ++i) {
    const Word w = PortRange<0, CHANNELS>::read(channel, kv...);
    if (lane(w, 0) != at + i) sim::fail("a channel's weights are out of order");
  }
}

// The engine's raw ops of all runs, without descriptors.
template <int RUNS, int KV_HEADS, int SHARED, int HEAD_DIM, int CHANNELS, int CHUNK, typename WINDOWS,
          typename... Ports>
void model_engine(Port<Cmd>& cmd, Port<Word>& queries, Port<Word>& weights, Port<Word>& products,
                  Port<Word>& sums, Ports&... kv) {
  const Cmd c = cmd.read();
  const int n = cmd_tokens(c);
  for (int run = 0; run < RUNS; ++run) {
    const KvBlocks seen = blocks_of(static_cast<int>(cmd_pos(c)), n, WINDOWS::at(run));
    for (int c = 0; c < CHANNELS; ++c) {
      check_weights<CHANNELS>(c, WEIGHTS_AT + run * (c + 1 + WEIGHTS_AFTER), c + 1, kv...);
    }
    for (int step = 0; seen.blocks > 0 && step < KV_HEADS + LOOKAHEAD; ++step) {
      for (int left = n * SHARED; step < KV_HEADS && left > 0; left -= CHUNK) {
        const int base = step * CHANNELS / KV_HEADS + 2 * seen.first;
        model_op<CHANNELS, false>(left < CHUNK ? left : CHUNK, (HEAD_DIM + 31) / 32, 2 * seen.blocks, base,
                                  queries, products, kv...);
      }
      const int h = step - LOOKAHEAD;
      for (int left = 3 * n * SHARED; h >= 0 && left > 0; left -= CHUNK) {
        model_op<CHANNELS, true>(left < CHUNK ? left : CHUNK, seen.blocks, HEAD_DIM / 16, h * HEAD_DIM / 16,
                                 weights, sums, kv...);
      }
    }
    for (int c = 0; c < CHANNELS; ++c) {
      const int at = WEIGHTS_AT + run * (c + 1 + WEIGHTS_AFTER) + c + 1;
      check_weights<CHANNELS>(c, at, WEIGHTS_AFTER, kv...);
    }
  }
}
}  // namespace stb
"""


def _types(sizes: Sizes) -> str:
    slopes = ", ".join(str(round(s * log2(e) * 2**24)) for s in sizes.slopes) or "0"
    cap = round(sizes.cap * log2(e) * 2**16)
    table = f"stb::Numbers<{slopes}>" if sizes.slopes else "stb::Always<0>"
    windows = ", ".join(map(str, sizes.windows))
    return "\n".join((
        f"using Form = stb::ScoreForm<{cap}, {round(2**46 / cap) if cap else 0}, {table}>;",
        f"using Windows = {f'stb::Numbers<{windows}>' if windows else 'stb::WholeContext'};",
        f"constexpr int LOOKAHEAD = {LOOKAHEAD}, WEIGHTS_AT = {WEIGHTS_AT};",
        f"constexpr int WEIGHTS_AFTER = {WEIGHTS_AFTER};",
    ))  # fmt: skip


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}_{i}" for i in range(count)]


def _inside(s: Sizes) -> list[str]:
    return ["queries", "scales", "dots", "values", "products", "scores", "tops", "value_scales", "weights",
            "recent", "totals", "sums"]  # fmt: skip


def _outside(s: Sizes) -> list[str]:
    return ["q", "k", "v", "sinks", "y", "kv_k_in", "kv_v_in", "kv_k_out", "kv_v_out", "tiles", "old_scales",
            "oracle_q", "oracle_k", "oracle_v", "oracle_sinks", "oracle_y", "oracle_k_in", "oracle_v_in",
            "oracle_k_out", "oracle_v_out", "desc", *_names("kv", s.channels)]  # fmt: skip


def _kernels(s: Sizes) -> str:
    sizes = f"{s.runs}, {s.heads}, {s.kv_heads}"
    scale = round(s.scale * log2(e) * 2**20)
    sinks, with_sinks = (("sinks, "), "_with_sinks") if s.sinks else ("", "")
    inside = [f"STB_FIFO(stb::Word, {n}, {s.depth})" for n in _inside(s)]
    commands = ["heads_cmd", "scores_cmd", "weights_cmd", "values_cmd", "oracle_cmd", *(
        [] if s.lanes else ["engine_cmd"])]  # fmt: skip
    body = [
        *(f"STB_FIFO(stb::Cmd, {c}, 2)" for c in commands), *inside,
        f"STB_CALL(fan, (stb::fan_out(cmd, {', '.join(commands)})))",
        f"STB_CALL(heads, (stb::attention_heads<{sizes}, {s.head_dim}, {s.chunk}, Windows>(heads_cmd, q, k, v, "
        "kv_k_in, kv_v_in, kv_k_out, kv_v_out, tiles, queries, scales, dots, values)))",
        f"STB_CALL(scores, (stb::attention_scores{with_sinks}<{sizes}, {s.chunk}, {s.context}, {scale}, Form, "
        f"Windows>(scores_cmd, products, dots, scales, old_scales, {sinks}scores, tops, value_scales)))",
        f"STB_CALL(weights, (stb::attention_weights<{sizes}, {s.chunk}, {s.context}, Windows>(weights_cmd, "
        "scores, tops, value_scales, weights, recent, totals)))",
        f"STB_CALL(values, (stb::attention_values<{sizes}, {s.head_dim}, {s.chunk}, Windows>(values_cmd, sums, "
        "recent, totals, values, y)))",
        f"STB_CALL(oracle, (stb::attention{with_sinks}<{sizes}, {s.head_dim}, {s.chunk}, {s.context}, {scale}, "
        f"Form, Windows>(oracle_cmd, oracle_q, oracle_k, oracle_v, oracle_k_in, oracle_v_in, "
        f"{'oracle_sinks, ' if s.sinks else ''}oracle_k_out, oracle_v_out, oracle_y)))",
        *(_real(s) if s.lanes else [_model(s)]),
    ]  # fmt: skip
    return _function("void chain(stb::Port<stb::Cmd>& cmd", _outside(s), body)


def _model(s: Sizes) -> str:
    arguments = f"{s.runs}, {s.kv_heads}, {s.shared}, {s.head_dim}, {s.channels}, {s.engine_chunk}, Windows"
    ports = ", ".join(("engine_cmd", "queries", "weights", "products", "sums", *_names("kv", s.channels)))
    return f"STB_CALL(engine, (stb::model_engine<{arguments}>({ports})))"


def _real(s: Sizes) -> list[str]:
    units = s.channels // s.lanes
    columns = -(-max(s.context, s.head_dim) // 32) * 32
    max_tiles = max(2 * s.blocks, s.head_dim // 16)
    fifos = ["desc_collect", *_names("merge_desc", units), *_names("unit_tiles", units)]
    fifos += [f"{n}_{u}" for u in range(units) for n in ("unit_desc", "unit_act")]
    lanes = [f"{n}_{c}" for c in range(s.channels) for n in ("lane_desc", "lane_act", "lane_tiles")]
    to_units = ", ".join(f"unit_desc_{u}, unit_act_{u}" for u in range(units))
    results = ", ".join(_names("unit_tiles", units))
    lines = [f"STB_FIFO(stb::Word, {n}, 64)" for n in (*fifos, *lanes)]
    lines.append(f"STB_CALL(dispatch, (stb::dispatch<2, {units}, {s.lanes}, {columns}>(desc, queries, weights, "
                 f"desc_collect, {to_units})))")  # fmt: skip
    for u in range(units):
        own = range(u * s.lanes, (u + 1) * s.lanes)
        pairs = ", ".join(f"lane_desc_{c}, lane_act_{c}" for c in own)
        lines.append(f"STB_CALL(fan_{u}, (stb::act_fan<{s.lanes}>(unit_desc_{u}, unit_act_{u}, merge_desc_{u}, "
                     f"{pairs})))")  # fmt: skip
        lines += [
            f"STB_CALL(lane_{c}, (stb::mac_lane<{i}, {columns}, {s.engine_chunk}, {s.token_lanes}>(lane_desc_{c}, "
            f"lane_act_{c}, kv_{c}, lane_tiles_{c})))"
            for i, c in enumerate(own)
        ]
        tiles = ", ".join(f"lane_tiles_{c}" for c in own)
        lines.append(f"STB_CALL(merge_{u}, (stb::merge<{s.lanes}>(merge_desc_{u}, {tiles}, unit_tiles_{u})))")
    lines.append(f"STB_CALL(collect, (stb::collect<{units}, {s.lanes}, 2, {s.engine_chunk}, {max_tiles}>("
                 f"desc_collect, {results}, products, sums)))")  # fmt: skip
    return lines


def _control(s: Sizes) -> list[str]:
    width, kv_width = s.heads * s.head_dim // 16, s.kv_heads * s.head_dim // 16
    moved = [("q", width), ("k", kv_width), ("v", kv_width)]
    lines = ["STB_CALL(command, (cmd.write(stb::make_cmd(n, false, pos))))"]
    for prefix in ("", "oracle_"):
        lines += [
            f"STB_CALL({prefix}read_{x}, (stb::send({x}_mem, 0, {s.runs} * n * {words}, {prefix}{x})))"
            for x, words in moved
        ]
        if s.sinks:
            lines.append(f"STB_CALL({prefix}read_sinks, (stb::send(sinks_mem, 0, {s.runs * s.sink_words}, "
                         f"{prefix}sinks)))")  # fmt: skip
    lines += [
        f"STB_CALL(write_y, (stb::write_words(y_mem, {s.runs} * n * {width}, y)))",
        f"STB_CALL(oracle_y, (stb::write_words(y_oracle_mem, {s.runs} * n * {width}, oracle_y)))",
    ]
    for x, words in (("k", s.key_words), ("v", s.value_words)):
        sizes = f"{s.runs}, {s.context}, {words}"
        lines += [
            f"STB_CALL(read_kv_{x}, (stb::read_recent_kv<{sizes}>(kv_{x}_mem, pos, kv_{x}_in)))",
            f"STB_CALL(write_kv_{x}, (stb::write_kv<{sizes}>(kv_{x}_mem, pos, n, kv_{x}_out)))",
            f"STB_CALL(read_oracle_{x}, (stb::read_kv<{sizes}, Windows>(oracle_{x}_mem, pos, oracle_{x}_in)))",
            f"STB_CALL(write_oracle_{x}, (stb::write_kv<{sizes}>(oracle_{x}_mem, pos, n, oracle_{x}_out)))",
        ]
    channels = ", ".join(f"kv_{c}_mem" for c in range(s.channels))
    scales = f"{s.runs}, {s.kv_heads}, {s.context}, Windows"
    written = f"{s.runs}, {s.kv_heads}, {s.head_dim}, {s.context}, {s.channels}"
    lines += [
        f"STB_CALL(read_scales, (stb::read_kv_scales<{scales}>(kv_scales_mem, n, pos, old_scales)))",
        f"STB_CALL(write_tiles, (stb::write_kv_tiles<{written}>(kv_scales_mem, 5, pos, n, tiles, {channels})))",
        *(f"STB_CALL(read_tiles_{c}, (read_channel_{c}(program_mem, kv_{c}_mem, n, pos, kv_{c})))" for c in range(s.channels)),
    ]  # fmt: skip
    if s.lanes:
        sized = f"{s.engine_chunk}, {s.channels}"
        lines.append(f"STB_CALL(sequence, (stb::sequence<{sized}>(program_mem, 0, program_words, n, pos, 1, desc)))")
    return lines


def _readers(s: Sizes) -> str:
    heads = f"stb::KvHeads<{s.kv_heads}, {s.shared}, {s.head_dim}>"
    sizes = f"{s.context}, {s.channels}, {s.engine_chunk}, LOOKAHEAD"
    after = 0 if s.lanes else WEIGHTS_AFTER
    return "\n".join(
        f"""static void read_channel_{c}(const stb::Word* weights, const stb::Word* kv, int n, int pos,
                           stb::Port<stb::Word>& out) {{
  using Op = stb::KvOp<{heads}, 5, {0 if s.lanes else c + 1}, Windows>;
  stb::send_runs<{s.runs}, {c}, {sizes}, {after}, Op>(weights, kv, {WEIGHTS_AT}, n, pos, out);
}}"""
        for c in range(s.channels)
    )


def _system(s: Sizes) -> str:
    memories = ", ".join(f"stb::Word* {b}_mem" for b in buffers(s))
    scalars = "int n, int pos, int program_words, stb::Port<stb::Cmd>& cmd"
    control = _function(f"void control({memories}, {scalars}", _outside(s), _control(s))
    opened = ['Port<Cmd> cmd = open_port<Cmd>("cmd", 2);']
    opened += [f'Port<Word> {n} = open_port<Word>("{n}", {s.depth});' for n in _outside(s)]
    ports = ", ".join(_outside(s))
    given = ", ".join(f"static_cast<Word*>(buffers[{i}])" for i in range(len(buffers(s))))
    values = ", ".join(f"static_cast<int>(scalars[{i}])" for i in range(3))
    body = "\n".join(f"  {line}" for line in opened)
    return f"""{_readers(s)}
{control}
namespace stb {{ namespace sim {{
void build() {{
{body}
  const Unit unit("chain");
  chain(cmd, {ports});
}}
void launch(void* const* buffers, const std::uint64_t* scalars) {{
{body}
  const Unit unit("control");
  control({given}, {values}, cmd, {ports});
}}
}} }}
"""


def _function(head: str, ports: list[str], body: list[str]) -> str:
    lines = "\n".join(f"  {line}" for line in body)
    return f"static {head}, {', '.join(f'stb::Port<stb::Word>& {p}' for p in ports)}) {{\n{lines}\n}}"
