"""AttentionScores: from products of queries and keys to scores."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Call, TypeArgument
from stbuild.ir.fixed import attention_scale, score_cap, score_slope
from stbuild.ir.kv import Blocks, recent_words
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Read, Repeat, Write, moves, reads, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import words_of
from stbuild.ops import attention_hardware
from stbuild.ops.attention_part import AttentionPart
from stbuild.ops.numbers import WINDOWS, numbers


@dataclass(frozen=True, kw_only=True)
class AttentionScores(AttentionPart):
    """Turns products into scores, 16 positions a cycle, and finds the greatest of each query."""

    named_parts: ClassVar[tuple[str, ...]] = ("form", WINDOWS)

    def program(self, here: LaunchContext) -> Program:
        """Sinks; head by head the scales of its queries, then query by query products in and scores out.

        With those of the first query come the scales of the positions, and go on.
        """
        return self.runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, launch = self.attention, here.launch
        products, dots, recent, older, *sinks = here.reads
        scores, tops, scales = here.writes
        words, rows = recent_words(launch), launch.tokens * op.kv.shared
        row = (moves(products, scores, 2 * blocks.count), moves(dots, scores, words), writes(tops, 1))
        first = (
            Repeat(2 * blocks.count, (Read(older), Write((scales,)), Read(products), Write((scores,)))),
            Repeat(words, (Read(recent), Write((scales,)), Read(dots), Write((scores,)))),
            writes(tops, 1),
        )
        head = reads(recent, words_of(rows)), *first, Repeat(rows - 1, row)
        return *(reads(sink, op.param_words) for sink in sinks), Repeat(op.kv_heads, head)

    def call(self, site: CallSite) -> Call:
        """`stb::attention_scores`, with what happens to the scores."""
        op = self.attention
        form = TypeArgument(parameter="FORM", part="form", definition=self.form)
        plain = op.cap == 0 and not op.slopes and not op.windows
        return self.call_of(
            "attention_scores", "attention_scores" if op.sinks is None else "attention_scores_with_sinks",
            *([] if plain else [form]), RUNS=site.runs, **self.shape, CHUNK=site.chunk,
            CONTEXT=site.context, C=attention_scale(op.scale),
        )  # fmt: skip

    @property
    def form(self) -> str:
        """The type that says what happens to a score (score.hpp)."""
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
            site.context,
            site.chunk,
            rows=site.chunk * op.kv.shared,
            scale=scale,
            cap=op.cap != 0,
            slopes=bool(op.slopes),
        )
