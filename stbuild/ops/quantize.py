"""Quantize: a vector in 8 bits for a matmul engine."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.op import CheckContext, StreamingOp
from stbuild.ir.program import Program, Read, Repeat, Write
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import GROUP, LANES


@dataclass(frozen=True, kw_only=True)
class Quantize(StreamingOp):
    """int8 with a scale per 32 elements; `frac` is that of `x`. Inserted by the numerics pass."""

    x: str

    def check(self, context: CheckContext) -> None:
        """Always an error: only the numerics pass makes it."""
        raise self.fault("the graph already has number formats")

    @property
    def stream_words(self) -> int:
        """A word for each group."""
        return self.width // GROUP

    def latency(self, words: int) -> int:
        """A group."""
        return 2 + LANES

    def program(self, here: LaunchContext) -> Program:
        """Two words in, one out."""
        x, y = here.reads[0], here.writes[0]
        return here.each_run(Repeat(here.tokens * self.stream_words, (Read(x), Read(x), Write((y,)))))

    def call(self, site: CallSite) -> Call:
        """`stb::quantize`."""
        return call("quantize", "quantize", **site.times, WIDTH=self.width)
