"""AttentionHeads: from q, k and v to records, full blocks, and one head after the other."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Call
from stbuild.ir.kv import Blocks, completed_blocks, recent_before, recent_words
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Repeat, reads, writes
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import words_of
from stbuild.ops import attention_hardware
from stbuild.ops.attention_part import AttentionPart


@dataclass(frozen=True, kw_only=True)
class AttentionHeads(AttentionPart):
    """Takes q, k and v; gives records and full blocks to memory, then head by head queries to the engine,
    scales and products of the recent positions to the scores, their values to the values."""

    in_turn: ClassVar[bool] = True
    waits_for_chunk: ClassVar[bool] = True

    def program(self, here: LaunchContext) -> Program:
        """Recent records and the launch in, then the heads; its own records and full blocks last."""
        return self.runs(here, self._run)

    def _run(self, here: LaunchContext, blocks: Blocks) -> Program:
        op, kv, launch = self.attention, self.attention.kv, here.launch
        q, k, v, kv_in = here.reads
        kv_out, queries, scales, dots, values = here.writes
        before, words, rows = recent_before(launch), recent_words(launch), launch.tokens * kv.shared
        head = (
            writes(queries, rows * kv.groups if blocks.count else 0),
            writes(scales, words_of(rows) + words),
            writes(dots, rows * words),
            writes(values, (before + launch.tokens) * kv.record_words),
        )
        token = (
            reads(q, op.heads * kv.value_tiles),
            reads(k, op.kv_heads * kv.value_tiles),
            reads(v, op.kv_heads * kv.value_tiles),
        )
        return (
            reads(kv_in, before * kv.position_words),
            Repeat(launch.tokens, token),
            Repeat(op.kv_heads, head),
            writes(kv_out, launch.tokens * kv.position_words),
            writes(kv_out, completed_blocks(launch) * op.kv_heads * kv.block_words),
        )

    def call(self, site: CallSite) -> Call:
        """`stb::attention_heads`."""
        return self.call_of(
            "attention_heads", "attention_heads", RUNS=site.runs, **self.shape,
            HEAD_DIM=self.attention.head_dim, CHUNK=site.chunk,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A chunk's heads and the recent ones, and a word of products a cycle."""
        return attention_hardware.heads(self.attention.kv, site.chunk)
