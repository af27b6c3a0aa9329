"""Any report or log of Vitis in a few lines for a person: what it says, and what to do about it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.clocks import kernel_clock
from stbuild.toolchain.vitis.csynth_text import parse_csynth_text
from stbuild.toolchain.vitis.csynth_xml import read_csynth_xml
from stbuild.toolchain.vitis.explain import Explanation, explain
from stbuild.toolchain.vitis.step_record import parse_step_record
from stbuild.toolchain.vitis.synthesis import Loop, Module, Synthesis
from stbuild.toolchain.vitis.timing import HEAD_BYTES, parse_timing
from stbuild.toolchain.vitis.utilisation import KINDS, Place, parse_utilisation

_HEAD = 1 << 16
_LOG_BYTES = 256 << 20
_LOOPS = 20
_MESSAGE = re.compile(r"^(?:INFO|WARNING|CRITICAL WARNING|ERROR): \[", re.MULTILINE)
"""A message of a log: a log may print the tables of a report, a report has no messages."""


def describe(path: Path) -> list[str]:
    """What the file at `path` says, whichever report or log it is; a StbuildError if it is none."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD).decode(errors="replace")
            rest = stream.read(_LOG_BYTES)
    except OSError as error:
        raise StbuildError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    if "\0" in head:
        raise StbuildError("this is no text, so neither a log nor a report", where=str(path))
    reader = _reader(head)
    if reader is not None:
        return reader(head + rest[:HEAD_BYTES].decode(errors="replace"), path)
    found = explain(head + rest.decode(errors="replace"))
    if not found.is_log and not found.failed and not found.notes:
        raise StbuildError(
            "this is no log or report of Vitis that is known",
            where=str(path),
            hint="logs of v++, vpl, HLS and Vivado, csynth.xml and .rpt, timing and utilisation reports, "
            "link_summary and xclbin.info are",
        )
    return explained(found)


def explained(found: Explanation) -> list[str]:
    """What a log says, the end first."""
    lines = []
    if found.failed:
        place = f" (line {found.line})" if found.line else ""
        lines.append(f"first error{place}: {found.error}")
        lines.append(f"  means: {found.meaning or 'this message is not among those that are known'}")
        if found.advice:
            lines.append(f"  do: {found.advice}")
        if found.look_at:
            lines.append(f"  more in: {found.look_at}")
    else:
        lines.append("no error; a step ended well" if found.finished else "no error, and no sign of an end")
    for note in found.notes:
        times = f" ({note.count} times)" if note.count > 1 else ""
        place = f"line {note.line}: " if note.line else ""
        lines.append(f"note{times}: {place}{note.text}")
        lines += [f"  means: {note.meaning}"] if note.meaning else []
        lines += [f"  do: {note.advice}"] if note.advice else []
    return lines


def _reader(head: str) -> Callable[[str, Path], list[str]] | None:
    """The reader for a report that begins with `head`; None for logs."""
    if "<profile>" in head and head.lstrip().startswith("<"):
        return lambda _, path: list(_synthesis(read_csynth_xml(path)))
    if "HLS Report for '" in head or "Synthesis Summary Report of '" in head:
        return lambda text, path: list(_synthesis(parse_csynth_text(text, str(path))))
    if _MESSAGE.search(head):
        return None
    if "WNS(ns)" in head or "report_timing_summary" in head[:4096]:
        return _timing
    if head.lstrip().startswith("<ENTRY>"):
        return _record
    if "report_utilization" in head[:4096] or "report_accelerator_utilization" in head[:8192]:
        return _utilisation
    if "xclbin Information" in head or "Achieved Kernel Clock Frequency" in head:
        return _clock
    return None


def _synthesis(found: Synthesis) -> Iterator[str]:
    clock = f"{found.target_ns:g} ns" if found.target_ns else "an unknown clock"
    yield f"HLS {found.version} of {found.top} for {found.part or 'an unknown part'}, target {clock}"
    if found.estimated_ns:
        yield f"  estimated {found.estimated_ns:g} ns, {1000 / found.estimated_ns:.0f} MHz"
    top = found.modules[0]
    yield f"  {_latency(top)}; {_area(top)}"
    loops = [(module, loop) for module, loop in found.loops if loop.ii is not None]
    slow = [pair for pair in loops if _missed(pair[1])]
    for module, loop in (slow or loops)[:_LOOPS]:
        yield f"  loop {loop.name} of {module.name}: {_ii(loop)}"
    if len(slow or loops) > _LOOPS:
        yield f"  and {len(slow or loops) - _LOOPS} more"


def _missed(loop: Loop) -> bool:
    above = loop.target_ii is not None and loop.ii is not None and loop.ii > loop.target_ii
    return above or loop.issue == "II"


def _ii(loop: Loop) -> str:
    target = f" where {loop.target_ii} was asked for" if _missed(loop) and loop.target_ii else ""
    issue = " (II violation)" if loop.issue == "II" else ""
    trips = f", {loop.trip_count} trips" if loop.trip_count is not None else ""
    return f"II {loop.ii}{target}{issue}{trips}"


def _latency(module: Module) -> str:
    if module.worst_latency is None:
        return "latency not known"
    return f"latency {module.worst_latency} cycles at most"


def _area(module: Module) -> str:
    area = module.area
    counts = (
        ("LUT", area.lut),
        ("FF", area.ff),
        ("DSP", area.dsp),
        ("BRAM18", area.bram18),
        ("URAM", area.uram),
    )
    return ", ".join(f"{count} {name}" for name, count in counts if count is not None) or "no area"


def _timing(text: str, path: Path) -> list[str]:
    found = parse_timing(text, str(path))
    slacks = ", ".join(
        f"{name} {value:+.3f} ns"
        for name, value in (("WNS", found.wns), ("TNS", found.tns), ("WHS", found.whs), ("WPWS", found.wpws))
        if value is not None
    )
    lines = [f"timing is {'met' if found.met else 'not met'}: {slacks}"]
    if not found.met:
        ends = found.failing + found.failing_hold + found.failing_pulse
        lines.append(f"  {ends} endpoints fail: a card with this design can give wrong results or hang")
    if found.verdict:
        lines.append(f"  {found.verdict}")
    return lines


def _record(text: str, path: Path) -> list[str]:
    found = parse_step_record(text, str(path))
    lines = [
        f"{found.tool or 'v++'}, target {found.target or 'unknown'}, platform {found.platform or 'unknown'}"
    ]
    lines += [f"  step {name}: {state or 'without a state'}" for name, state in found.states]
    lines += [f"  report {report.kind}: {report.path}" for report in found.reports]
    return lines


def _utilisation(text: str, path: Path) -> list[str]:
    found = parse_utilisation(text, str(path))
    lines = [f"{place.name}: {_uses(place)}" for place in found.places]
    lines += [f"{each.between}: {each.used} wires of {each.available}" for each in found.crossings]
    over = [f"{use.kind} of {place.name}" for place in found.places for use in place.uses if use.over]
    return [*lines, *(f"over-used: {each}" for each in over)]


def _uses(place: Place) -> str:
    uses = [use for kind in KINDS if (use := place.use(kind))]
    return ", ".join(
        f"{use.kind} {use.used:g}" + (f" ({use.percent:g} %)" if use.percent is not None else "")
        for use in uses
    )


def _clock(text: str, path: Path) -> list[str]:
    found = kernel_clock(text)
    if found is None:
        raise StbuildError("this report names no clock of kernels", where=str(path))
    wanted = f", {found.wanted:g} MHz were asked for" if found.wanted else ""
    return [f"kernels run at {found.mhz:g} MHz{wanted}"]
