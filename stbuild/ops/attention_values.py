"""AttentionValues: from weighted sums of values to the result."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Call
from stbuild.ir.kv import SLICES, Blocks, recent_before, recent_words
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Read, Repeat, Write, reads, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ops import attention_hardware
from stbuild.ops.attention_part import AttentionPart


@dataclass(frozen=True, kw_only=True)
class AttentionValues(AttentionPart):
    """Adds the weighted values of the recent positions to the engine's sums, and divides by the totals."""

    waits_for_chunk: ClassVar[bool] = True

    def program(self, here: LaunchContext) -> Program:
        """Head by head values, then query by query weights and sums; results of several tokens in the end."""
        return self.runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, kv, launch = self.attention, self.attention.kv, here.launch
        sums, recent, totals, values = here.reads
        (y,) = here.writes
        positions = recent_before(launch) + launch.tokens
        earlier = reads(sums, (SLICES - 1) * kv.value_tiles if blocks.count else 0)
        last: Program = (
            *([Read(sums)] if blocks.count else []),
            *([Write((y,))] if launch.tokens == 1 else []),
        )
        results = (Repeat(kv.value_tiles, last),) if last else ()
        row = reads(recent, recent_words(launch)), reads(totals, 1), earlier, *results
        head = reads(values, positions * kv.record_words), Repeat(launch.tokens * kv.shared, row)
        later = launch.tokens * op.heads * kv.value_tiles if launch.tokens > 1 else 0
        return Repeat(op.kv_heads, head), writes(y, later)

    def call(self, site: CallSite) -> Call:
        """`stb::attention_values`."""
        return self.call_of(
            "attention_values", "attention_values", RUNS=site.runs, **self.shape,
            HEAD_DIM=self.attention.head_dim, CHUNK=site.chunk,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word of values a cycle, and sixteen results."""
        return attention_hardware.values(self.attention.kv, site.chunk)
