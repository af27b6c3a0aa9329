"""SplitParams: the parameters of a kernel's processes, which come in one stream, to each of them."""

from dataclasses import dataclass
from typing import ClassVar

from stbuild.ir.call import Call, TypeArgument, call
from stbuild.ir.parts import Add, Hold, Part
from stbuild.ir.program import Program, Repeat, moves
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ops.datapaths import WORD

BLOCKS = "blocks"


@dataclass(frozen=True, kw_only=True)
class ParamRuns:
    """`runs` runs of block `block`: in each of them `words` for the processes of the block, in turn."""

    block: int
    runs: int
    words: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SplitParams(Streaming):
    """Words of one stream to those of the processes, whose order is that of the blocks."""

    named_parts: ClassVar[tuple[str, ...]] = (BLOCKS,)

    blocks: tuple[ParamRuns, ...]

    def program(self, here: LaunchContext) -> Program:
        """Run after run, also of a head that does not run."""
        streams = iter(here.writes)
        found = []
        for block in self.blocks:
            run = tuple(moves(here.reads[0], next(streams), words) for words in block.words)
            found.append(Repeat(block.runs, run, runs_of=block.block))
        return tuple(found)

    def call(self, site: CallSite) -> Call:
        """`stb::split_params`."""
        blocks = (f"stb::ParamRuns<{', '.join(map(str, (b.runs, *b.words)))}>" for b in self.blocks)
        definition = f"stb::ParamBlocks<{', '.join(blocks)}>"
        return call(
            "split_params",
            "split_params",
            TypeArgument(parameter="BLOCKS", part=BLOCKS, definition=definition),
        )

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word on its way, and counters."""
        return Hold(bits=WORD), Add(bits=16, count=2)
