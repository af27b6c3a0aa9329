"""What a linker achieved, as a bundle and its users need it: the clock, the slack, the area of each SLR."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PlaceUse:
    """Resources used in one place, such as an SLR; counts that were not reported are None."""

    place: str
    lut: float | None = None
    ff: float | None = None
    bram36: float | None = None
    uram: float | None = None
    dsp: float | None = None
    worst: str = ""
    """The resource of which the largest part is used, with its per cent."""

    @property
    def place_line(self) -> str:
        """The use in a line."""
        counts = (("LUT", self.lut), ("FF", self.ff), ("BRAM36", self.bram36), ("URAM", self.uram),
                  ("DSP", self.dsp))  # fmt: skip
        told = ", ".join(f"{name} {count:g}" for name, count in counts if count is not None)
        return f"{self.place}: {told}" + (f"; most of {self.worst}" if self.worst else "")


@dataclass(frozen=True, kw_only=True)
class LinkReport:
    """One link. Clocks in MHz, slacks in ns; `wns` is None where no timing was analysed, as in hw_emu.

    `missed` are sentences on loops that miss their initiation interval.
    """

    tool: str
    target: str
    asked_mhz: float
    clock_mhz: float
    wns: float | None = None
    whs: float | None = None
    places: tuple[PlaceUse, ...] = ()
    missed: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The link in a line."""
        clock = f"kernels at {self.clock_mhz:g} MHz"
        asked = "" if self.clock_mhz == self.asked_mhz else f" of {self.asked_mhz:g} asked for"
        slack = "" if self.wns is None else f", WNS {self.wns:+.3f} ns"
        many = len(self.missed)
        loops = f", {many} loop{'s miss their' if many > 1 else ' misses its'} II" if many else ""
        return f"{clock}{asked}{slack}{loops}"
