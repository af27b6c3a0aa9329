"""Test results as JUnit XML: a file for each target, and one with all of them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from stbuild.engine.failure import Failure
from stbuild.engine.label import parse_label

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAIL = 64_000

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


def write_junit(cases: list[Case], folder: Path, aggregate: Path) -> None:
    """`<folder>/<package>/<target>/test.xml` for each target, and `aggregate` for all."""
    suites = []
    for label, group in groupby(cases, key=lambda case: case.label):
        suites.append(_suite(label, list(group)))
        place = parse_label(label, package="")
        _write(suites[-1], folder / place.package / place.name / "test.xml")
    top = ElementTree.Element("testsuites", _counts(cases))
    top.extend(suites)
    _write(top, aggregate)


def _suite(label: str, cases: list[Case]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", {"name": label, **_counts(cases)})
    for case in cases:
        suite.append(_element(case))
    return suite


def _element(case: Case) -> ElementTree.Element:
    item = ElementTree.Element("testcase", classname=case.label, name=case.name, time=f"{case.seconds:.3f}")
    for attempt in case.attempts:
        kind = "rerunFailure" if case.state == "failed" else "flakyFailure"
        ElementTree.SubElement(item, kind, message=_clean(attempt.reason)).text = _clean(attempt.line)
    if case.failure is not None:
        text = _clean("\n".join(case.failure.sentences()))
        ElementTree.SubElement(item, "failure", message=_clean(case.failure.reason)).text = text
    elif case.state == "not tried":
        ElementTree.SubElement(item, "skipped", message="what it needs could not be built")
    if case.log and Path(case.log).is_file():
        text = Path(case.log).read_bytes()[-_TAIL:].decode(errors="replace")
        ElementTree.SubElement(item, "system-out").text = _clean(text)
    return item


def _counts(cases: Iterable[Case]) -> dict[str, str]:
    states = [case.state for case in cases]
    return {
        "tests": str(len(states)),
        "failures": str(states.count("failed")),
        "skipped": str(states.count("not tried")),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _write(element: ElementTree.Element, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.indent(element)
    ElementTree.ElementTree(element).write(path, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    """Text without what XML cannot hold, such as the escape sequences of colours."""
    return _NOT_XML.sub("", text)
