"""What a process reads and writes that applies a parameter to each vector of a run."""

from stbuild.ir.program import Program, Read, Repeat, Write, moves, reads
from stbuild.ir.streaming import LaunchContext


def parameter_program(here: LaunchContext, words: int) -> Program:
    """The parameter's words come with those of the first vector; alone if the run has no token."""
    (x, param), y = here.reads, here.writes[0]
    if here.tokens == 0:
        return here.each_run(reads(param, words))
    first = Repeat(words, (Read(param), Read(x), Write((y,))))
    return here.each_run(first, moves(x, y, (here.tokens - 1) * words))
