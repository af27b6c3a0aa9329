"""AttentionWeights: from scores to the weights of the values."""

from dataclasses import dataclass

from stbuild.ir.call import Call
from stbuild.ir.kv import SLICES, Blocks, recent_words
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Repeat, moves, reads, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ops import attention_hardware
from stbuild.ops.attention_part import AttentionPart


@dataclass(frozen=True, kw_only=True)
class AttentionWeights(AttentionPart):
    """Turns scores into weights, 16 positions a cycle, and cuts those of full blocks into bytes."""

    def program(self, here: LaunchContext) -> Program:
        """Head by head the scales of the values, then query by query scores in and weights out."""
        return self.runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, launch = self.attention, here.launch
        scores, tops, scales = here.reads
        weights, recent, totals = here.writes
        words = recent_words(launch)
        row = (
            reads(tops, 1),
            reads(scores, 2 * blocks.count),
            moves(scores, recent, words),
            writes(totals, 1),
            writes(weights, SLICES * blocks.count),
        )
        head = reads(scales, 2 * blocks.count + words), Repeat(launch.tokens * op.kv.shared, row)
        return (Repeat(op.kv_heads, head),)

    def call(self, site: CallSite) -> Call:
        """`stb::attention_weights`."""
        return self.call_of(
            "attention_weights", "attention_weights", RUNS=site.runs, **self.shape,
            CHUNK=site.chunk, CONTEXT=site.context,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """Sixteen weights a cycle."""
        return attention_hardware.weights(site.context)
