"""Where a process of a design is called: what its op must know for its C++ and its hardware."""

from stbuild.ir.design import BlockRuns, Design, Process
from stbuild.ir.streaming import CallSite

ONCE = BlockRuns(name="launch", count=1, head=False)
"""How often a process runs that belongs to the launch."""


def call_site(process: Process, design: Design) -> CallSite:
    """The site of a streaming process."""
    inputs = [design.stream(name) for name in process.reads]
    block = design.blocks[process.block] if process.block >= 0 else ONCE
    return CallSite(
        fracs=tuple(stream.frac for stream in inputs),
        words=tuple(stream.words for stream in inputs),
        runs=block.count,
        head=block.head,
        chunk=design.sizes.chunk,
        context=design.sizes.context,
        vocab_size=design.vocab_size,
    )
