"""The processes of attention around the engine have no finding at the sizes that ship."""

from pathlib import Path

import pytest

from hls_lint.__main__ import lint

SIZES = {
    "smollm2_135m": "/*RUNS=*/30, /*HEADS=*/9, /*KV_HEADS=*/3, 64",
    "llama2_7b": "/*RUNS=*/32, /*HEADS=*/32, /*KV_HEADS=*/32, 128",
    "gpt2_medium": "/*RUNS=*/24, /*HEADS=*/16, /*KV_HEADS=*/16, 64",
    "head_of_80": "/*RUNS=*/2, /*HEADS=*/8, /*KV_HEADS=*/2, 80",
}
CHUNK, CONTEXT, CHANNELS = 32, 2048, 6

KERNELS = """
#include "stb/attention_heads.hpp"
#include "stb/attention_scores.hpp"
#include "stb/attention_values.hpp"
#include "stb/attention_weights.hpp"
#include "stb/kv_cache.hpp"
#include "stb/kv_memory.hpp"
using stb::Cmd;
using stb::Port;
using stb::Word;
using Slopes = stb::Numbers<{slopes}>;
using Form = stb::ScoreForm<4726817, 14887481, Slopes>;
using Windows = stb::Numbers<{windows}>;
static void read_channel(const Word* weights_mem, const Word* kv_mem, int n, int pos, Port<Word>& out) {{
  using Heads = stb::KvHeads<{kv_heads}, {shared}, {head_dim}>;
  stb::send(weights_mem, 0, 500, out);
  using FirstOp = stb::KvOp<Heads, 9, stb::WeightSets<20, 30>, Windows>;
  using SecondOp = stb::KvOp<Heads, 999, stb::WeightSets<50>>;
  stb::send_runs<{runs}, 1, {context}, {channels}, {chunk}, 2, stb::WeightSets<60>, FirstOp, SecondOp>(
      weights_mem, 500, kv_mem, n, pos, out);
}}
using Heads = stb::KvHeads<{kv_heads}, {shared}, {head_dim}>;
using First = stb::KvCache<Heads, 0, 9, Windows>;
using Second = stb::KvCache<Heads, 9999, 999>;
extern "C" void kernel({ports}, {pointers}, int n, int pos, int head) {{
  STB_CALL(sequence, (stb::sequence<{chunk}, {channels}>(program_mem, 0, 100, n, pos, head, desc)))
  STB_CALL(heads, (stb::attention_heads<{sizes}, {head_dim}, {chunk}, Windows>(
      cmd_0, q, k, v, kv_in, kv_out, queries, scales, dots, values)))
  STB_CALL(scores, (stb::attention_scores<{sizes}, {chunk}, {context}, 189184, Form, Windows>(
      cmd_1, products, dots, scales, old_scales, scores, tops, value_scales)))
  STB_CALL(plain_scores, (stb::attention_scores_with_sinks<{sizes}, {chunk}, {context}, 189184>(
      cmd_2, products, dots, scales, old_scales, sinks, scores, tops, value_scales)))
  STB_CALL(weights, (stb::attention_weights<{sizes}, {chunk}, {context}, Windows>(
      cmd_3, scores, tops, value_scales, weights, recent, totals)))
  STB_CALL(values, (stb::attention_values<{sizes}, {head_dim}, {chunk}, Windows>(
      cmd_4, sums, recent, totals, values, y)))
  STB_CALL(read_kv, (stb::read_kv<{runs}, {context}, First, Second>(
      kv_mem, n, pos, kv_in, old_scales, kv_in_2, old_scales_2)))
  STB_CALL(read_channel, (read_channel(program_mem, kv_mem, n, pos, channel)))
  STB_CALL(write_kv, (stb::write_kv<{runs}, {context}, {channels}, First, Second>(
      pos, n, kv_out, kv_out_2, kv_out_mem, {kv})))
}}
"""
STREAMS = (
    "q", "k", "v", "kv_in", "kv_in_2", "kv_out", "kv_out_2", "old_scales", "old_scales_2", "queries",
    "scales", "dots", "values", "products", "scores", "tops", "value_scales", "sinks", "weights", "recent",
    "totals", "sums", "y", "desc", "channel",
)  # fmt: skip


def kernel_text(sizes: str) -> str:
    """The processes at `sizes`, all in one kernel."""
    runs, heads, kv_heads, head_dim = (int(s.split("/")[-1]) for s in sizes.split(", "))
    ports = [*(f"Port<Word>& {s}" for s in STREAMS), *(f"Port<Cmd>& cmd_{i}" for i in range(5))]
    kv = [f"kv_{c}_mem" for c in range(CHANNELS)]
    pointers = [*(f"Word* {p}" for p in (*kv, "kv_out_mem")), "const Word* program_mem", "const Word* kv_mem"]
    return KERNELS.format(
        ports=", ".join(ports), pointers=", ".join(pointers), kv=", ".join(kv), runs=runs, kv_heads=kv_heads,
        shared=heads // kv_heads, head_dim=head_dim, chunk=CHUNK, context=CONTEXT, channels=CHANNELS,
        sizes=f"{runs}, {heads}, {kv_heads}", slopes=", ".join(str(i * 1000) for i in range(heads)),
        windows=", ".join(str(100 + i) for i in range(runs)),
    )  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_attention_has_no_finding(sizes: str, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.cpp"
    kernel.write_text(kernel_text(sizes))
    assert {f"{f.at}: {f.text}": names for f, names in lint([kernel]).items()} == {}
