"""Rescale: the same number with other fraction bits."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.op import CheckContext, StreamingOp
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, moves
from stbuild.ir.streaming import CallSite, LaunchContext
from stbuild.ir.types import LANES
from stbuild.ops.datapaths import saturated_sum


@dataclass(frozen=True, kw_only=True)
class Rescale(StreamingOp):
    """The same number with other fraction bits. Inserted by the numerics pass."""

    x: str

    def check(self, context: CheckContext) -> None:
        """Always an error: only the numerics pass makes it."""
        raise self.fault("the graph already has number formats")

    def program(self, here: LaunchContext) -> Program:
        """Word by word."""
        return here.each_run(moves(here.reads[0], here.writes[0], here.tokens * self.stream_words))

    def call(self, site: CallSite) -> Call:
        """`stb::rescale`."""
        return call(
            "pointwise", "rescale", **site.times, WIDTH=self.stream_words * LANES,
            SHIFT=site.frac - self.frac,
        )  # fmt: skip

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """16 shifts by a constant, which are wires, rounded and saturated."""
        return saturated_sum(operands=1)
