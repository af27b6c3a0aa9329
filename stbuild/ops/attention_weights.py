"""AttentionWeights: from scores to the weights of the values."""

from dataclasses import dataclass

from stbuild.ir.call import Call
from stbuild.ir.kv import SLICES, Blocks, recent_words
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Read, Repeat, Write, run_lengths, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ops import attention_hardware
from stbuild.ops.attention_part import AttentionPart


@dataclass(frozen=True, kw_only=True)
class AttentionWeights(AttentionPart):
    """Turns scores into weights, 16 positions a cycle, and cuts those of full blocks into bytes."""

    def program(self, here: LaunchContext) -> Program:
        """Query by query scores in, and out the weights of the query before; the last ones in the end."""
        return self.runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        kv, rows = self.attention.kv, here.launch.tokens * self.attention.kv.shared
        first, next_head, row = (
            self._row(here, blocks, opens=opens, gives=gives)
            for opens, gives in ((True, False), (True, True), (False, True))
        )
        others = Repeat(rows - 1, row)
        last = writes(here.writes[0], SLICES * blocks.count)
        return *first, others, Repeat(kv.kv_heads - 1, (*next_head, others)), last

    def _row(self, here: LaunchContext, blocks: Blocks, *, opens: bool, gives: bool) -> Program:
        """The words of one query in, those of the one before out; the first of a head brings its scales."""
        scores, tops, scales = here.reads
        weights, recent, totals = here.writes
        words = 2 * blocks.count + recent_words(here.launch)
        out = SLICES * blocks.count if gives else 0

        def step(at: int) -> Program:
            taken = at < words
            return (
                *([Read(tops)] if at == 0 else []),
                *([Read(scales)] if taken and opens else []),
                *([Read(scores)] if taken else []),
                *([Write((recent,))] if taken and at >= 2 * blocks.count else []),
                *([Write((totals,))] if at == words - 1 else []),
                *([Write((weights,))] if at < out else []),
            )

        steps = [step(at) for at in range(max(words, out))]
        return tuple(Repeat(count, body) for body, count in run_lengths(steps))

    def call(self, site: CallSite) -> Call:
        """`stb::attention_weights`."""
        return self.call_of(
            "attention_weights", "attention_weights", RUNS=site.runs, **self.shape,
            CHUNK=site.chunk, CONTEXT=site.context,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """Sixteen weights a cycle."""
        return attention_hardware.weights(site.context, site.chunk)
