"""Reads <name>.link_summary and .compile_summary: the record that v++ keeps of a step and of its reports."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stbuild.errors import StbuildError

_ENTRY = re.compile(r"<ENTRY>\s*(.*?)\s*</ENTRY>", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class ReportFile:
    """A report that the step wrote: where it lay on the machine that ran it, its kind and its format."""

    path: str
    kind: str
    format: str


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """One step of v++. `states` gives the last state of each command, such as `CS_PASSED`, by its name."""

    tool: str
    target: str
    platform: str
    arguments: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    reports: tuple[ReportFile, ...]
    kernels: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The commands that failed."""
        return tuple(name for name, state in self.states if state == "CS_FAILED")


def read_step_record(path: Path) -> StepRecord:
    """The record at `path`; a file that is none is a StbuildError."""
    try:
        return parse_step_record(path.read_text(errors="replace"), str(path))
    except OSError as error:
        raise StbuildError(f"the record cannot be read: {error.strerror}", where=str(path)) from error


def parse_step_record(text: str, where: str = "link_summary") -> StepRecord:
    """The record with this text; entries that are cut short are left out."""
    entries = list(_entries(text))
    if not entries:
        raise StbuildError("this is no summary of a v++ step: it has no <ENTRY>", where=where)
    steps = {step["cmdId"]: step for e in entries if (step := _dict(e, "buildStep")).get("cmdId")}
    states = {s["cmdId"]: s.get("state", "") for e in entries if (s := _dict(e, "status")).get("cmdId")}
    build = next((found for e in entries if (found := _dict(e, "buildSummary"))), {})
    first = next(iter(steps.values()), {})
    return StepRecord(
        tool=str(build.get("toolVersion", "")),
        target=str(build.get("target", "")).removeprefix("TT_").lower(),
        platform=str(build.get("hardwarePlatform", "")),
        arguments=tuple(map(str, first.get("args", ()))),
        states=tuple((str(step.get("name", "")), states.get(key, "")) for key, step in steps.items()),
        reports=tuple(_reports(entries)),
        kernels=tuple(
            str(_dict(kernel, "base").get("name", ""))
            for kernel in build.get("kernels", ())
            if isinstance(kernel, dict)
        ),
    )


def _entries(text: str) -> Iterator[dict[str, Any]]:
    for body in _ENTRY.findall(text):
        try:
            entry = json.loads(body, strict=False)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


def _reports(entries: list[dict[str, Any]]) -> Iterator[ReportFile]:
    for entry in entries:
        report = _dict(entry, "report")
        if report.get("path"):
            yield ReportFile(
                path=str(report["path"]),
                kind=str(report.get("reportType", "")),
                format=str(report.get("fileType", "")),
            )


def _dict(entry: dict[str, Any], name: str) -> dict[str, Any]:
    value = entry.get(name)
    return value if isinstance(value, dict) else {}
