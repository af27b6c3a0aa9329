"""Reads csynth.xml and <module>_csynth.xml of Vivado HLS 2018.x to Vitis HLS 2024.x."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import xmltodict

from stbuild.errors import StbuildError
from stbuild.toolchain.vitis.numbers import number, whole
from stbuild.toolchain.vitis.synthesis import Area, Loop, Module, Synthesis

_FIELDS = frozenset(
    {
        *("Name", "Slack", "TripCount", "Latency", "AbsoluteTimeLatency", "IterationLatency", "PipelineII"),
        *("PipelineDepth", "PipelineType", "InstanceList", "PerformancePragma", "SourceLocation", "unit"),
    }
)
"""Children of a loop that are no loops within it."""


def read_csynth_xml(path: Path) -> Synthesis:
    """The report at `path`; a file that is none, or is cut short, is a StbuildError."""
    try:
        return parse_csynth_xml(path.read_bytes(), str(path))
    except OSError as error:
        raise StbuildError(f"the report cannot be read: {error.strerror}", where=str(path)) from error


def parse_csynth_xml(data: bytes | str, where: str = "csynth.xml") -> Synthesis:
    """The report with the bytes `data`."""
    try:
        root = xmltodict.parse(data)
    except (ExpatError, ValueError) as error:
        raise StbuildError(
            f"this is no whole XML file: {error}", where=where, hint="HLS was stopped while it wrote"
        ) from error
    profile = root.get("profile")
    if not isinstance(profile, dict) or not _child(profile, "UserAssignments"):
        raise StbuildError("this is no csynth.xml: it has no <profile> of HLS", where=where)
    return _synthesis(profile)


def _synthesis(profile: dict[str, Any]) -> Synthesis:
    asked, area = _child(profile, "UserAssignments"), _child(profile, "AreaEstimates")
    timing = _child(_child(profile, "PerformanceEstimates"), "SummaryOfTimingAnalysis")
    top = _text(asked.get("TopModelName"))
    modules = [_module(each) for each in _list(_child(profile, "ModuleInformation").get("Module"))]
    if not any(module.name == top for module in modules):
        modules.append(_module({**profile, "Name": top}))
    return Synthesis(
        top=top,
        part=_text(asked.get("Part")),
        version=_text(_child(profile, "ReportVersion").get("Version")),
        target_ns=number(asked.get("TargetClockPeriod")),
        uncertainty_ns=number(asked.get("ClockUncertainty")),
        estimated_ns=number(timing.get("EstimatedClockPeriod")),
        available=_area(_child(area, "AvailableResources")),
        modules=tuple(sorted(modules, key=lambda module: module.name != top)),
    )


def _module(data: dict[str, Any]) -> Module:
    times = _child(data, "PerformanceEstimates")
    latency = _child(times, "SummaryOfOverallLatency")
    timing = _child(times, "SummaryOfTimingAnalysis")
    interval = latency.get("PipelineInitiationInterval", latency.get("Interval-max"))
    return Module(
        name=_text(data.get("Name")),
        best_latency=whole(latency.get("Best-caseLatency")),
        worst_latency=whole(latency.get("Worst-caseLatency")),
        interval=whole(interval),
        estimated_ns=number(timing.get("EstimatedClockPeriod")),
        area=_area(_child(_child(data, "AreaEstimates"), "Resources")),
        loops=tuple(_loops(_child(times, "SummaryOfLoopLatency"), ())),
    )


def _loops(data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Loop]:
    """The loops among the children of `data`, each before those within it."""
    for tag, value in data.items():
        for each in _list(value) if tag not in _FIELDS else ():
            if isinstance(each, dict):
                loop = _loop(tag, each, path)
                yield loop
                yield from _loops(each, (*path, loop.name))


def _loop(tag: str, data: dict[str, Any], path: tuple[str, ...]) -> Loop:
    ii, kind = whole(data.get("PipelineII")), _text(data.get("PipelineType"))
    return Loop(
        name=_text(data.get("Name")) or tag,
        path=path,
        trip_count=whole(data.get("TripCount")),
        latency=whole(data.get("Latency")),
        iteration_latency=whole(data.get("IterationLatency")),
        ii=ii,
        depth=whole(data.get("PipelineDepth")),
        pipelined=ii is not None or kind.startswith(("yes", "loop")),
    )


def _area(data: Mapping[str, Any]) -> Area:
    """DSP blocks were called DSP48E up to 2020.1."""
    return Area(
        bram18=whole(data.get("BRAM_18K")),
        dsp=whole(data.get("DSP", data.get("DSP48E"))),
        ff=whole(data.get("FF")),
        lut=whole(data.get("LUT")),
        uram=whole(data.get("URAM")),
    )


def _child(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if isinstance(value, list):
        value = value[0]
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
