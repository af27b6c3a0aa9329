"""Fork: one stream to several readers."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.parts import Hold, Part
from stbuild.ir.program import Program, Read, Repeat, Write
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming
from stbuild.ops.datapaths import WORD


@dataclass(frozen=True, kw_only=True)
class Fork(Streaming):
    """One stream to several readers, or to none; `once` for a stream that is sent once per launch."""

    words: int
    once: bool = False

    def program(self, here: LaunchContext) -> Program:
        """Each word to all readers at once."""
        step: Program = (Read(here.reads[0]), *([Write(here.writes)] if here.writes else []))
        if self.once:
            return (Repeat(here.launch.tokens * self.words, step),)
        return here.each_run(Repeat(here.tokens * self.words, step))

    def call(self, site: CallSite) -> Call:
        """`stb::fork`."""
        times = {"RUNS": 1, "ROLE": 0} if self.once else site.times
        return call("plumbing", "fork", **times, WORDS=self.words)

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """A word that was read, and one that is written."""
        return (Hold(bits=2 * WORD),)
