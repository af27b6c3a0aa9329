"""Reads a timing summary of Vivado: slack, failing paths and clocks, from the head of a long file."""

import re
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.numbers import number

HEAD_BYTES = 1 << 20
"""The tables that count stand in the first 20 KB of a real report; its paths, up to 17 MB, follow them."""
_RULE = re.compile(r"^[\s-]*-{3,}[\s-]*$")
_CLOCK = re.compile(r"^(\s*\S+)\s+\{[^}]*\}\s+([\d.]+)\s+([\d.]+)\s*$")


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A clock of the design."""

    name: str
    period_ns: float
    mhz: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The design's timing summary in ns; None for `NA`, which stands where nothing is constrained.

    `verdict` is Vivado's own sentence on the constraints, empty where the report has none.
    """

    wns: float | None
    tns: float | None
    failing: int
    whs: float | None
    ths: float | None
    failing_hold: int
    wpws: float | None
    failing_pulse: int
    verdict: str = ""
    clocks: tuple[Clock, ...] = ()

    @property
    def met(self) -> bool:
        """Whether no slack is negative."""
        return all(slack is None or slack >= 0 for slack in (self.wns, self.whs, self.wpws))


def read_timing(path: Path) -> Timing:
    """The summary in the report at `path`; a file without one is a StbuildError."""
    try:
        with path.open("rb") as stream:
            text = stream.read(HEAD_BYTES).decode(errors="replace")
    except OSError as error:
        raise StbuildError(f"the report cannot be read: {error.strerror}", where=str(path)) from error
    return parse_timing(text, str(path))


def parse_timing(text: str, where: str = "timing_summary.rpt") -> Timing:
    """The summary in a report with this text."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _is_title(line, lines, i)), None)
    row = _row(lines, start) if start is not None else None
    if start is None or row is None:
        raise StbuildError("this is no timing summary: it has no table `Design Timing Summary`", where=where)
    names, cells = row
    values = dict(zip(names, cells, strict=False))
    unread = [cell for cell in cells if cell not in ("NA", "inf") and number(cell) is None]
    if unread or len(cells) != len(names):
        raise StbuildError("the table `Design Timing Summary` has no row of figures", where=where)
    return Timing(
        wns=number(values.get("WNS(ns)")),
        tns=number(values.get("TNS(ns)")),
        failing=int(number(values.get("TNS Failing Endpoints")) or 0),
        whs=number(values.get("WHS(ns)")),
        ths=number(values.get("THS(ns)")),
        failing_hold=int(number(values.get("THS Failing Endpoints")) or 0),
        wpws=number(values.get("WPWS(ns)")),
        failing_pulse=int(number(values.get("TPWS Failing Endpoints")) or 0),
        verdict=_verdict(lines[start:]),
        clocks=tuple(_clocks(lines[start:])),
    )


def _is_title(line: str, lines: list[str], number_of_line: int) -> bool:
    """The title of the table, not its line in a table of contents."""
    if line.strip().lstrip("|").strip() != "Design Timing Summary":
        return False
    return any("WNS(ns)" in each for each in lines[number_of_line : number_of_line + 8])


def _row(lines: list[str], start: int) -> tuple[list[str], list[str]] | None:
    """The names of the columns and the first row below them."""
    for at in range(start, min(start + 8, len(lines))):
        if "WNS(ns)" in lines[at]:
            names = re.split(r"\s{2,}", lines[at].strip())
            rows = [line for line in lines[at + 1 : at + 5] if line.strip() and not _RULE.match(line)]
            return (names, rows[0].split()) if rows else None
    return None


def _verdict(lines: list[str]) -> str:
    known = ("All user specified timing constraints are met", "Timing constraints are not met")
    return next((line.strip() for line in lines[:40] if line.strip().startswith(known)), "")


def _clocks(lines: list[str]) -> list[Clock]:
    begin = next((i for i, line in enumerate(lines) if "Clock Summary" in line), len(lines))
    found = []
    for line in lines[begin : begin + 2000]:
        if "Intra Clock Table" in line:
            break
        match = _CLOCK.match(line)
        if match:
            found.append(Clock(name=match[1].strip(), period_ns=float(match[2]), mhz=float(match[3])))
    return found
