"""A night as JSON, and as JUnit XML for those who read that."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from stbuild.library.xml_text import clean
from stbuild.nightly.alarms import Alarm
from stbuild.nightly.outcome import Outcome
from stbuild.nightly.plan import Plan
from stbuild.nightly.values import Cell, Night, Result

JSON, JUNIT = "night.json", "junit.xml"
Alarms = Mapping[Cell, tuple[Alarm, ...]]
_ERRORS = (Outcome.BUILD_FAILED, Outcome.BROKEN_DEVICE)


def write_reports(folder: Path, night: Night, results: Sequence[Result], plan: Plan, alarms: Alarms) -> None:
    """Write both into the night's folder."""
    text = json.dumps(night_as_data(night, results, alarms), indent=1, ensure_ascii=False)
    (folder / JSON).write_text(text + "\n", encoding="utf-8")
    tree = ElementTree.ElementTree(_suites(night, results, plan, alarms))
    ElementTree.indent(tree)
    tree.write(folder / JUNIT, encoding="utf-8", xml_declaration=True)


def night_as_data(night: Night, results: Sequence[Result], alarms: Alarms) -> dict[str, Any]:
    """A night as plain values."""
    outcome = night.outcome.value if night.outcome else None
    cells = [_cell(result, alarms.get(result.cell, ())) for result in results]
    return {**asdict(night), "outcome": outcome, "cells": cells}


def _cell(result: Result, alarms: Sequence[Alarm]) -> dict[str, Any]:
    figures = {
        each.name: {"value": each.value, "unit": each.unit, "better": each.better.value, "exact": each.exact}
        for each in result.figures
    }
    return {
        **asdict(result.cell),
        "outcome": result.outcome.value,
        "fault": result.fault.value if result.fault else None,
        "message": result.message,
        "began_s": result.began_s,
        "seconds": result.seconds,
        "tries": result.tries,
        "described": result.described,
        "log": result.log,
        "figures": figures,
        "alarms": [_alarm(each) for each in alarms],
        "tools": dict(result.tools),
        "keys": dict(result.keys),
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "figure": alarm.series.figure,
        "change": alarm.change.value,
        "old": alarm.old,
        "new": alarm.new,
        "unit": alarm.series.unit,
        "worse": alarm.worse,
        "since": {"night": alarm.since.night, "commit": alarm.since.commit},
        "before": {"night": alarm.before.night, "commit": alarm.before.commit},
        "found": {"night": alarm.found.night, "commit": alarm.found.commit},
        "cause": "commit" if alarm.is_commit else "machine" if alarm.is_machine else None,
        "message": str(alarm),
    }


def _suites(night: Night, results: Sequence[Result], plan: Plan, alarms: Alarms) -> ElementTree.Element:
    """A suite for each cell: how it came out, each figure that has a limit, and each that changed."""
    top = ElementTree.Element("testsuites", name=f"night {night.id}")
    for result in results:
        suite = ElementTree.SubElement(top, "testsuite", name=clean(str(result.cell)))
        suite.append(_case(result))
        suite.extend(_limited(result, plan))
        suite.extend(_changed(result.cell, each) for each in alarms.get(result.cell, ()))
        _count(suite, [suite])
    _count(top, list(top))
    return top


def _case(result: Result) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=clean(str(result.cell)), name="cell", time=f"{result.seconds:.3f}"
    )
    message = clean(result.message)
    if result.outcome is Outcome.NOT_MEASURED:
        ElementTree.SubElement(case, "skipped", message=message)
    elif result.outcome is not Outcome.GOOD:
        kind = "error" if result.outcome in _ERRORS else "failure"
        told = result.fault.value if result.fault else result.outcome.value
        ElementTree.SubElement(case, kind, type=result.outcome.value, message=told).text = message
    if result.figures:
        lines = "\n".join(f"{each.name} {each.value:.6g} {each.unit}" for each in result.figures)
        ElementTree.SubElement(case, "system-out").text = clean(lines)
    return case


def _limited(result: Result, plan: Plan) -> list[ElementTree.Element]:
    cases = []
    for figure in result.figures:
        limit = plan.limit(figure)
        if limit is None:
            continue
        case = ElementTree.Element("testcase", classname=clean(str(result.cell)), name=figure.name, time="0")
        if problem := limit.problem(figure):
            ElementTree.SubElement(case, "failure", message=problem)
        cases.append(case)
    return cases


def _changed(cell: Cell, alarm: Alarm) -> ElementTree.Element:
    """A case that fails where the change is for the worse."""
    name = f"change of {alarm.series.figure}"
    case = ElementTree.Element("testcase", classname=clean(str(cell)), name=name, time="0")
    if alarm.worse:
        ElementTree.SubElement(case, "failure", message=clean(str(alarm)))
    else:
        ElementTree.SubElement(case, "system-out").text = clean(str(alarm))
    return case


def _count(element: ElementTree.Element, suites: Sequence[ElementTree.Element]) -> None:
    cases = [case for suite in suites for case in suite.iter("testcase")]
    element.set("tests", str(len(cases)))
    for name, plural in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(plural, str(sum(case.find(name) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
