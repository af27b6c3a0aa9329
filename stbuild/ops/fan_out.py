"""FanOut: the launch's command to the processes of a kernel."""

from dataclasses import dataclass

from stbuild.ir.call import Call, call
from stbuild.ir.parts import Part
from stbuild.ir.program import Program, Read, Write
from stbuild.ir.streaming import CallSite, LaunchContext, Streaming


@dataclass(frozen=True, kw_only=True)
class FanOut(Streaming):
    """Commands to the processes of a kernel."""

    def program(self, here: LaunchContext) -> Program:
        """One command to all."""
        return Read(here.reads[0]), Write(here.writes)

    def call(self, site: CallSite) -> Call:
        """`stb::fan_out`."""
        return call("plumbing", "fan_out")

    def hardware(self, site: CallSite) -> tuple[Part, ...]:
        """Nothing but wires."""
        return ()
