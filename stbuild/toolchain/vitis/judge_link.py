"""Judges what a link reports: slack, over-use and the clock, whatever the exit status of v++ was."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.package.link_report import LinkReport, PlaceUse
from stbuild.toolchain.vitis.clocks import KernelClock, kernel_clock
from stbuild.toolchain.vitis.step_record import read_step_record
from stbuild.toolchain.vitis.timing import Timing, read_timing
from stbuild.toolchain.vitis.utilisation import KINDS, Place, Utilisation, read_utilisation

_ASKED = re.compile(r"^\s*kernel_frequency\s*=\s*(?:\d+:)?([\d.]+)", re.MULTILINE)
_TOOL = re.compile(r"\*{6} v\+\+ (v\S+.*)$", re.MULTILINE)
_BEST_FIRST = ("routed", "postroute", "dr_timing_summary", "placed", "synth")


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What a link must keep: slack in ns, and whether timing was analysed at all."""

    target: str
    slack_ns: float
    timed: bool


def judge_link(folder: Path, cfg: str, demands: Demands, missed: tuple[str, ...]) -> LinkReport:
    """What the reports in `folder` say; a link that cannot be trusted is a StbuildError.

    `cfg` is the text of the linker's configuration, which asked for the clock.
    """
    asked = _ASKED.search(cfg)
    if asked is None:
        raise StbuildError("the linker's configuration asks for no kernel_frequency", where="link.cfg")
    asked_mhz = float(asked[1])
    timing, clock = _timing(folder), _clock(folder)
    if demands.timed:
        _check_timing(timing, clock, asked_mhz, demands.slack_ns)
    area = tuple(_areas(folder))
    _check_area(area)
    return LinkReport(
        tool=_tool(folder),
        target=demands.target,
        asked_mhz=asked_mhz,
        clock_mhz=clock.mhz if clock else asked_mhz,
        wns=timing.wns if timing else None,
        whs=timing.whs if timing else None,
        places=tuple(_use(place) for each in area for place in (*each.slrs, *each.kernels)),
        missed=missed,
    )


def _check_timing(timing: Timing | None, clock: KernelClock | None, asked_mhz: float, least: float) -> None:
    if timing is None:
        raise StbuildError(
            "no timing report was kept, so nobody knows whether this design works", exit_code=1
        )
    if clock is None:
        raise StbuildError("no report tells at which clock the kernels run", exit_code=1)
    worst = min((s for s in (timing.wns, timing.whs, timing.wpws) if s is not None), default=0.0)
    if worst < least:
        scaled = f"; v++ lowered the kernel clock to {clock.mhz:g} MHz" if clock.mhz < asked_mhz else ""
        ends = timing.failing + timing.failing_hold + timing.failing_pulse
        raise StbuildError(
            f"timing is not met: slack {worst:+.3f} ns at {asked_mhz:g} MHz, {ends} endpoints fail{scaled}",
            hint="v++ calls this a success, but such designs hang; lower the clock, use fewer memory ports, "
            "or accept it by `slack_ns` in [tool.stbuild.vitis]",
            exit_code=1,
        )
    if clock.mhz > asked_mhz * 1.001:
        raise StbuildError(
            f"the kernels run at {clock.mhz:g} MHz, {asked_mhz:g} were asked for",
            hint="the linker did not get the request: kernel_frequency belongs to the link",
            exit_code=1,
        )


def _check_area(found: Sequence[Utilisation]) -> None:
    for each in found:
        for place in each.places:
            over = [use for use in place.uses if use.over]
            if over:
                use = over[0]
                of = f" of {use.available:g}" if use.available is not None else f" ({use.percent:g} %)"
                raise StbuildError(
                    f"{place.name} needs {use.used:g}{of} {use.kind}",
                    hint="use fewer lanes or channels, or place kernels on other SLRs",
                    exit_code=1,
                )


def _timing(folder: Path) -> Timing | None:
    """The summary that was made last on the way to the bitstream."""
    for path in _by_stage(folder.glob("*timing_summary*.rpt")):
        return read_timing(path)
    return None


def _clock(folder: Path) -> KernelClock | None:
    """To a tenth of a MHz where a report tells it so, else as the log prints it."""
    for pattern in ("automation_summary.txt", "*.xclbin.info", "link.log"):
        for path in sorted(folder.glob(pattern)):
            found = kernel_clock(path.read_text(errors="replace"))
            if found is not None:
                return found
    return None


def _areas(folder: Path) -> Iterator[Utilisation]:
    for kind in ("slr_util", "kernel_util", "full_util"):
        for path in _by_stage(folder.glob(f"*{kind}*.rpt"))[:1]:
            yield read_utilisation(path)


def _by_stage(paths: Iterator[Path]) -> list[Path]:
    def rank(path: Path) -> tuple[int, str]:
        return next(
            (i for i, word in enumerate(_BEST_FIRST) if word in path.name), len(_BEST_FIRST)
        ), path.name

    return sorted(paths, key=rank)


def _tool(folder: Path) -> str:
    for path in sorted(folder.glob("*.link_summary")):
        tool = read_step_record(path).tool
        if tool:
            return tool
    log = folder / "link.log"
    found = _TOOL.search(log.read_text(errors="replace")) if log.is_file() else None
    return f"v++ {found[1]}" if found else "v++"


def _use(place: Place) -> PlaceUse:
    used = {kind: use.used for kind in KINDS if (use := place.use(kind))}
    full = max((use for use in place.uses if use.percent), key=lambda use: use.percent or 0, default=None)
    return PlaceUse(
        place=place.name,
        lut=used.get("lut"),
        ff=used.get("ff"),
        bram36=used.get("bram36"),
        uram=used.get("uram"),
        dsp=used.get("dsp"),
        worst=f"{full.kind} {full.percent:g} %" if full else "",
    )
