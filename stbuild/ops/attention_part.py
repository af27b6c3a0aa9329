"""What the processes of attention around the matmul engine share (docs/machine.md, Attention)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Argument, Call, TypeArgument, call
from stbuild.ir.kv import Blocks
from stbuild.ir.program import Program, Repeat, run_lengths
from stbuild.ir.streaming import LaunchContext, Streaming
from stbuild.ops.attention import Attention
from stbuild.ops.numbers import WINDOWS, windows_type


@dataclass(frozen=True, kw_only=True)
class AttentionPart(Streaming):
    """One process of an attention op; heads of keys and values come one after the other in each run."""

    named_parts: ClassVar[tuple[str, ...]] = (WINDOWS,)

    attention: Attention

    def runs(self, here: LaunchContext, run: Callable[[LaunchContext, Blocks], Program]) -> Program:
        """`run` for each run; those that see the same blocks are alike."""
        kv = self.attention.kv
        seen = [kv.blocks(number, here.launch.position) for number in range(here.runs)]
        return tuple(
            Repeat(count, run(here, blocks), runs_of=here.block) for blocks, count in run_lengths(seen)
        )

    def call_of(self, name: str, function: str, *types: TypeArgument, **arguments: Argument) -> Call:
        """A call of `stb::function`, in the header `name`, with the window of each run."""
        windows = self.attention.windows
        return call(name, function, *types, *([windows_type(windows)] if windows else []), **arguments)

    @property
    def shape(self) -> dict[str, Argument]:
        """Its numbers of heads, as template arguments."""
        return {"HEADS": self.attention.heads, "KV_HEADS": self.attention.kv_heads}
