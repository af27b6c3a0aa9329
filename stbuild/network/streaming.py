"""The programs of the streaming processes: each op's own, in one launch."""

from stbuild.ir.design import BlockRuns, Design, Process
from stbuild.ir.program import Launch, Program
from stbuild.ir.streaming import LaunchContext, Streaming

ONCE = BlockRuns(name="", count=1, head=False)
"""How often a process runs that belongs to the launch."""


def streaming_program(process: Process, design: Design, launch: Launch) -> Program:
    """The program of a process of a streaming kernel, behind its command."""
    if not isinstance(process.op, Streaming):
        raise TypeError(f"{type(process.op).__name__} is not a streaming process")
    block = design.blocks[process.block] if process.block >= 0 else ONCE
    return process.op.program(
        LaunchContext(
            reads=process.reads,
            writes=process.writes,
            words=tuple(design.stream(name).words for name in process.reads),
            block=process.block,
            runs=block.count,
            tokens=int(launch.head) if block.head else launch.tokens,
            launch=launch,
        )
    )
