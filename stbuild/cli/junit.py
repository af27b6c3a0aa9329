"""Test results as JUnit XML: a file for each target, and one with all of them.

A test that wrote such a file itself stands here with its own cases, in the place of one that we would make.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from stbuild.engine.execution.failure import Failure
from stbuild.engine.graph.label import parse_label
from stbuild.engine.graph.owned import OwnedFolders
from stbuild.library.xml_text import clean

_TAIL = 64_000
_KNOWN = ("failure", "error", "skipped", "system-out", "system-err")

PASSED = ("passed", "flaky", "cached")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A try that failed before a later one passed, or before the last."""

    reason: str
    line: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.line}" if self.line else self.reason


@dataclass(kw_only=True)
class Case:
    """One test action; `state` is one of passed, flaky, cached, failed and not tried."""

    label: str
    name: str
    seconds: float = 0.0
    state: str = "not tried"
    failure: Failure | None = None
    attempts: list[Attempt] = field(default_factory=list)
    log: str = ""
    report: str = ""
    """The file that the test was to write its own cases to."""


def write_junit(cases: list[Case], folder: Path, aggregate: Path) -> None:
    """`<folder>/<package>/<target>/test.xml` for each target, and `aggregate` for all."""
    suites = []
    folders = OwnedFolders(str(folder))
    for label, group in groupby(cases, key=lambda case: case.label):
        elements = [element for case in group for element in _elements(case)]
        suites.append(ElementTree.Element("testsuite", {"name": label, **_counts(elements)}))
        suites[-1].extend(elements)
        place = parse_label(label, package="")
        path = folder / place.package / place.name / "test.xml"
        folders.unlink(str(path))
        _write(suites[-1], path)
    everything = [element for suite in suites for element in suite]
    top = ElementTree.Element("testsuites", _counts(everything))
    top.extend(suites)
    _write(top, aggregate)


def cases_in(case: Case) -> list[ElementTree.Element]:
    """The cases that a test wrote down itself; none where its file is empty or no JUnit XML.

    Of each are kept its attributes and, without what stands in them, the elements that JUnit knows.
    """
    try:
        found = ElementTree.parse(case.report).iterfind(".//{*}testcase")
        return [_kept(element, case.label) for element in found]
    except (OSError, ElementTree.ParseError, LookupError, ValueError):
        return []


def has_failed(case: ElementTree.Element) -> bool:
    """Whether a test wrote that this case of its own went wrong."""
    return case.find("failure") is not None or case.find("error") is not None


def _kept(element: ElementTree.Element, label: str) -> ElementTree.Element:
    made = ElementTree.Element("testcase", {"classname": label, **_cleaned(element)})
    for child in element:
        name = str(child.tag).rpartition("}")[2]
        if name in _KNOWN:
            ElementTree.SubElement(made, name, _cleaned(child)).text = clean(child.text or "")
    return made


def _cleaned(element: ElementTree.Element) -> dict[str, str]:
    return {name.rpartition("}")[2]: clean(text) for name, text in element.attrib.items() if text}


def _elements(case: Case) -> list[ElementTree.Element]:
    """The test's own cases, and ours where none of them tells how the test ended."""
    own = cases_in(case)
    told = any(map(has_failed, own)) if case.failure else own and not case.attempts
    return own if told else [*own, _element(case)]


def _element(case: Case) -> ElementTree.Element:
    item = ElementTree.Element("testcase", classname=case.label, name=case.name, time=f"{case.seconds:.3f}")
    for attempt in case.attempts:
        kind = "rerunFailure" if case.state == "failed" else "flakyFailure"
        ElementTree.SubElement(item, kind, message=clean(attempt.reason)).text = clean(attempt.line)
    if case.failure is not None:
        text = clean("\n".join(case.failure.sentences()))
        ElementTree.SubElement(item, "failure", message=clean(case.failure.reason)).text = text
    elif case.state == "not tried":
        ElementTree.SubElement(item, "skipped", message="what it needs could not be built")
    if case.log and Path(case.log).is_file():
        text = Path(case.log).read_bytes()[-_TAIL:].decode(errors="replace")
        ElementTree.SubElement(item, "system-out").text = clean(text)
    return item


def _counts(cases: Sequence[ElementTree.Element]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(map(has_failed, cases))),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{sum(map(_seconds, cases)):.3f}",
    }


def _seconds(case: ElementTree.Element) -> float:
    try:
        spent_s = float(case.get("time", "0"))
    except ValueError:
        return 0.0
    return spent_s if math.isfinite(spent_s) else 0.0


def _write(element: ElementTree.Element, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(element)
    ElementTree.ElementTree(element).write(path, encoding="utf-8", xml_declaration=True)
