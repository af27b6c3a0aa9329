"""Judges what HLS reports of kernels: a loop that misses its initiation interval, with its source line."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stbuild.toolchain.vitis.csynth_text import read_csynth_text
from stbuild.toolchain.vitis.csynth_xml import read_csynth_xml
from stbuild.toolchain.vitis.hls_log import Violation, pipelinings, violations
from stbuild.toolchain.vitis.messages import lines_of
from stbuild.toolchain.vitis.synthesis import Loop, Module, Synthesis

_STAGED = re.compile(r"^(?:.*/)?in/")
"""Inputs lie in `in/` of an action's folder; without it a path is the user's own."""
_MADE_NAME = re.compile(r"VITIS_LOOP_(\d+)_\d+")


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A pipelined loop whose II is above the one of its pragma, on which the timing model counts."""

    kernel: str
    module: str
    loop: str
    asked: int | None
    reached: int | None
    place: str
    cause: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong, and where."""
        asked = f" where {self.asked} is asked for" if self.asked else ""
        place = f", {self.place}" if self.place else ""
        return f"loop {self.loop} of {self.kernel} has II {self.reached}{asked}{place}"


@dataclass(frozen=True, kw_only=True)
class KernelReport:
    """What HLS says of one kernel."""

    name: str
    synthesis: Synthesis
    missed: tuple[Missed, ...]


def judge_kernel(name: str, xml: Path, text: Path, log: str, source: Path | None) -> KernelReport:
    """The report of a kernel from HLS's two reports and its log; `source` has its labels."""
    synthesis = with_targets(read_csynth_xml(xml), read_csynth_text(text), log)
    found = tuple(_missed(name, synthesis, tuple(violations(lines_of(log))), source))
    return KernelReport(name=name, synthesis=synthesis, missed=found)


def with_targets(exact: Synthesis, told: Synthesis, log: str) -> Synthesis:
    """`exact` with the target IIs and issues that csynth.xml lacks, from the text report and from the log."""
    asked = {each.name: each.target for each in pipelinings(lines_of(log))}
    known = {(module.name, _plain(loop.name)): loop for module, loop in told.loops}
    modules = tuple(
        replace(
            module,
            loops=tuple(
                _with_target(loop, known.get((module.name, _plain(loop.name))), asked)
                for loop in module.loops
            ),
        )
        for module in exact.modules
    )
    return replace(exact, modules=modules)


def _with_target(loop: Loop, told: Loop | None, asked: Mapping[str, int | None]) -> Loop:
    target = asked.get(loop.name, told.target_ii if told else None)
    return replace(loop, target_ii=target, issue=told.issue if told else "")


def _plain(name: str) -> str:
    """A loop's name as both reports have it: a blank of the one is missing in the other."""
    return name.replace(" ", "")


def _missed(
    kernel: str, synthesis: Synthesis, reasons: tuple[Violation, ...], source: Path | None
) -> Iterator[Missed]:
    for module, loop in synthesis.loops:
        above = loop.ii is not None and loop.target_ii is not None and loop.ii > loop.target_ii
        if not above and "II" not in loop.issue:
            continue
        reason = _reason(reasons, module, loop)
        yield Missed(
            kernel=kernel,
            module=module.name,
            loop=loop.name,
            asked=loop.target_ii,
            reached=loop.ii,
            place=_STAGED.sub("", reason.place if reason else "") or _place(loop.name, source),
            cause=reason.cause if reason else "",
        )


def _reason(reasons: Iterable[Violation], module: Module, loop: Loop) -> Violation | None:
    """The last message on the loop: HLS tries one II after the other."""
    found = [each for each in reasons if each.loop == loop.name and each.module in ("", module.name)]
    return found[-1] if found else None


def _place(loop: str, source: Path | None) -> str:
    """`file:line` of a loop: from the name that HLS gives to one without a label, else of its label."""
    made = _MADE_NAME.search(loop)
    if source is None or not source.is_file():
        return f"line {made[1]}" if made else ""
    if made:
        return f"{source.name}:{made[1]}"
    label = re.compile(rf"^\s*{re.escape(loop)}\s*:")
    for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
        if label.match(line):
            return f"{source.name}:{number}"
    return ""
