"""The processes of attention around the matmul engine: heads, scores, weights, values (docs/machine.md)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Argument, Call, TypeArgument, call
from stbuild.ir.fixed import attention_scale, score_cap, score_slope
from stbuild.ir.kv import SLICES, Blocks, completed_blocks, recent_before, recent_words
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Repeat, moves, reads, run_lengths, writes
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ir.types import words_of
from stbuild.ops import attention_hardware
from stbuild.ops.attention import Attention
from stbuild.ops.numbers import WINDOWS, numbers, windows_type


@dataclass(frozen=True, kw_only=True)
class AttentionPart(Streaming):
    """One process of an attention op; heads of keys and values come one after the other in each run."""

    named_parts: ClassVar[tuple[str, ...]] = (WINDOWS,)

    attention: Attention

    def _runs(self, here: LaunchContext, run: Callable[[LaunchContext, Blocks], Program]) -> Program:
        """`run` for each run; those that see the same blocks are alike."""
        kv = self.attention.kv
        seen = [kv.blocks(number, here.launch.position) for number in range(here.runs)]
        return tuple(
            Repeat(count, run(here, blocks), runs_of=here.block) for blocks, count in run_lengths(seen)
        )

    def _call(self, name: str, function: str, *types: TypeArgument, **arguments: Argument) -> Call:
        windows = self.attention.windows
        return call(name, function, *types, *([windows_type(windows)] if windows else []), **arguments)

    @property
    def _shape(self) -> dict[str, Argument]:
        return {"HEADS": self.attention.heads, "KV_HEADS": self.attention.kv_heads}


@dataclass(frozen=True, kw_only=True)
class AttentionHeads(AttentionPart):
    """Takes q, k and v; gives records and full blocks to memory, then head by head queries to the engine,
    scales and products of the recent positions to the scores, their values to the values."""

    waits_for_chunk: ClassVar[bool] = True

    def program(self, here: LaunchContext) -> Program:
        """The launch in, its records out; recent records in, blocks out; then the heads."""
        return self._runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, kv, launch = self.attention, self.attention.kv, here.launch
        q, k, v, k_in, v_in = here.reads
        k_out, v_out, tiles, queries, scales, dots, values = here.writes
        before, words, rows = recent_before(launch), recent_words(launch), launch.tokens * kv.shared
        head = (
            writes(queries, rows * kv.groups if blocks.count else 0),
            writes(scales, words_of(rows) + words),
            writes(dots, rows * words),
            writes(values, (before + launch.tokens) * kv.record_words),
        )
        return (
            reads(q, launch.tokens * op.heads * kv.value_tiles),
            reads(k, launch.tokens * op.kv_heads * kv.value_tiles),
            reads(v, launch.tokens * op.kv_heads * kv.value_tiles),
            Repeat(launch.tokens, (writes(k_out, op.key_words), writes(v_out, op.value_words))),
            reads(k_in, before * op.key_words),
            reads(v_in, before * op.value_words),
            writes(tiles, completed_blocks(launch) * op.kv_heads * kv.block_words),
            Repeat(op.kv_heads, head),
        )

    def call(self, site: CallSite) -> Call:
        """`stb::attention_heads`."""
        return self._call(
            "attention_heads", "attention_heads", RUNS=site.runs, **self._shape,
            HEAD_DIM=self.attention.head_dim, CHUNK=site.chunk,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A chunk's heads and the recent ones, and a word of products a cycle."""
        return attention_hardware.heads(self.attention.kv, site.chunk)


@dataclass(frozen=True, kw_only=True)
class AttentionScores(AttentionPart):
    """Turns products into scores, 16 positions a cycle, and finds the greatest of each query."""

    named_parts: ClassVar[tuple[str, ...]] = ("form", WINDOWS)

    def program(self, here: LaunchContext) -> Program:
        """Sinks; head by head the scales, then query by query products in and scores out."""
        return self._runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, launch = self.attention, here.launch
        products, dots, recent, older, *sinks = here.reads
        scores, tops, scales = here.writes
        words, rows = recent_words(launch), launch.tokens * op.kv.shared
        row = (moves(products, scores, 2 * blocks.count), moves(dots, scores, words), writes(tops, 1))
        head = (
            reads(recent, words_of(rows)),
            moves(older, scales, 2 * blocks.count),
            moves(recent, scales, words),
            Repeat(rows, row),
        )
        return *(reads(sink, op.param_words) for sink in sinks), Repeat(op.kv_heads, head)

    def call(self, site: CallSite) -> Call:
        """`stb::attention_scores`, with what happens to the scores."""
        op = self.attention
        form = TypeArgument(parameter="FORM", part="form", definition=self._form())
        plain = op.cap == 0 and not op.slopes and not op.windows
        return self._call(
            "attention_scores", "attention_scores" if op.sinks is None else "attention_scores_with_sinks",
            *([] if plain else [form]), RUNS=site.runs, **self._shape, CHUNK=site.chunk,
            CONTEXT=site.context, C=attention_scale(op.scale),
        )  # fmt: skip

    def _form(self) -> str:
        op = self.attention
        if not op.cap and not op.slopes:
            return "stb::PlainScore"
        slopes = numbers(map(score_slope, op.slopes)) if op.slopes else "stb::Always<0>"
        cap, per_cap = score_cap(op.cap)
        return f"stb::ScoreForm<{cap}, {per_cap}, {slopes}>"

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """Sixteen scores a cycle."""
        op = self.attention
        scale = attention_scale(op.scale).bit_length()
        return attention_hardware.scores(
            op.kv, site.context, scale=scale, cap=op.cap != 0, slopes=bool(op.slopes)
        )


@dataclass(frozen=True, kw_only=True)
class AttentionWeights(AttentionPart):
    """Turns scores into weights, 16 positions a cycle, and cuts those of full blocks into bytes."""

    def program(self, here: LaunchContext) -> Program:
        """Head by head the scales of the values, then query by query scores in and weights out."""
        return self._runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, launch = self.attention, here.launch
        scores, tops, scales = here.reads
        weights, recent, totals = here.writes
        words = recent_words(launch)
        row = (
            reads(tops, 1),
            reads(scores, 2 * blocks.count + words),
            writes(weights, SLICES * blocks.count),
            writes(recent, words),
            writes(totals, 1),
        )
        head = reads(scales, 2 * blocks.count + words), Repeat(launch.tokens * op.kv.shared, row)
        return (Repeat(op.kv_heads, head),)

    def call(self, site: CallSite) -> Call:
        """`stb::attention_weights`."""
        return self._call(
            "attention_weights", "attention_weights", RUNS=site.runs, **self._shape,
            CHUNK=site.chunk, CONTEXT=site.context,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """Sixteen weights a cycle."""
        return attention_hardware.weights(site.context)


@dataclass(frozen=True, kw_only=True)
class AttentionValues(AttentionPart):
    """Adds the weighted values of the recent positions to the engine's sums, and divides by the totals."""

    waits_for_chunk: ClassVar[bool] = True

    def program(self, here: LaunchContext) -> Program:
        """Head by head values, then query by query weights and sums; results of several tokens in the end."""
        return self._runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, kv, launch = self.attention, self.attention.kv, here.launch
        sums, recent, totals, values = here.reads
        (y,) = here.writes
        positions = recent_before(launch) + launch.tokens
        row = (
            reads(recent, recent_words(launch)),
            reads(totals, 1),
            reads(sums, SLICES * kv.value_tiles if blocks.count else 0),
            writes(y, kv.value_tiles if launch.tokens == 1 else 0),
        )
        head = reads(values, positions * kv.record_words), Repeat(launch.tokens * kv.shared, row)
        later = launch.tokens * op.heads * kv.value_tiles if launch.tokens > 1 else 0
        return Repeat(op.kv_heads, head), writes(y, later)

    def call(self, site: CallSite) -> Call:
        """`stb::attention_values`."""
        return self._call(
            "attention_values", "attention_values", RUNS=site.runs, **self._shape,
            HEAD_DIM=self.attention.head_dim, CHUNK=site.chunk,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word of values a cycle, and sixteen results."""
        return attention_hardware.values(self.attention.kv, site.chunk)


PARTS = AttentionHeads, AttentionScores, AttentionWeights, AttentionValues
"""The processes of an attention op, in the order of the data."""
