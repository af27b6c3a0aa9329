"""The clocks that a link achieved: from its log, automation_summary.txt or <name>.xclbin.info."""

import re
from dataclasses import dataclass

_SELECTED = re.compile(r"\[\S+ 60-1230\](.+)$", re.MULTILINE)
_CLOCK = re.compile(r"(?:\w+ \((?P<type>\w+)\) clock:\s*)?(?P<name>[\w./]+)\s*=\s*(?P<mhz>[\d.]+)")
_SCALED = re.compile(
    r"failed timing targeting (?P<wanted>[\d.]+) MHz for (?P<kind>kernel|system)?\s*clock '(?P<name>[^']*)'"
    r"\.? The frequency is being automatically changed to (?P<mhz>[\d.]+) MHz"
)
_UNIT = re.compile(
    r"Requested Kernel Clock Frequency:\s*([\d.]+) MHz\s*Achieved Kernel Clock Frequency:\s*([\d.]+) MHz"
)
_INFO = re.compile(
    r"Name:\s+(?P<name>\S+)\s+Type:\s+SCALABLE\s+Default Freq:\s+[\d.]+ MHz\s+"
    r"Requested Freq:\s+(?P<wanted>[\d.]+) MHz\s+Achieved Freq:\s+(?P<mhz>[\d.]+) MHz"
)
_INFO_DATA = re.compile(r"Name:\s+DATA_CLK\s+Index:\s+\d+\s+Type:\s+DATA\s+Frequency:\s+([\d.]+) MHz")


@dataclass(frozen=True, kw_only=True)
class KernelClock:
    """The kernels' clock in MHz; `wanted` is None where the text does not tell what was asked for."""

    mhz: float
    wanted: float | None = None


def kernel_clock(text: str) -> KernelClock | None:
    """The kernels' clock, as far as `text` tells it; a scaled one to a tenth of a MHz, others as printed."""
    unit = _UNIT.findall(text)
    if unit:
        wanted, mhz = min(unit, key=lambda pair: float(pair[1]))
        return KernelClock(mhz=float(mhz), wanted=float(wanted))
    scaled = [match for match in _SCALED.finditer(text) if match["kind"] != "system"]
    if scaled:
        return KernelClock(mhz=float(scaled[-1]["mhz"]), wanted=float(scaled[-1]["wanted"]))
    return _from_info(text) or _selected(text)


def _from_info(text: str) -> KernelClock | None:
    first = _INFO.search(text)
    if first:
        return KernelClock(mhz=float(first["mhz"]), wanted=float(first["wanted"]))
    data = _INFO_DATA.search(text)
    return KernelClock(mhz=float(data[1])) if data else None


def _selected(text: str) -> KernelClock | None:
    """From the message 60-1230, which rounds to whole MHz: the clock of type DATA."""
    for line in reversed(_SELECTED.findall(text)):
        for clock in _CLOCK.finditer(line):
            if clock["type"] == "DATA" or (
                clock["type"] is None and clock["name"].upper().startswith("DATA")
            ):
                return KernelClock(mhz=float(clock["mhz"]))
    return None
