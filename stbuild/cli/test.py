"""`stbuild test`: run test targets and tell which passed; JUnit XML for those who read that."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from stbuild import layout
from stbuild.cli.build import build_and_tell
from stbuild.cli.parser import add_build_options
from stbuild.cli.request import cache_dir, display_of, make_request, open_workspace
from stbuild.console import seconds, status_line
from stbuild.engine.build import Report
from stbuild.engine.events import Event, Events
from stbuild.engine.failure import Failure
from stbuild.engine.session import Session, session
from stbuild.errors import StbuildError


@dataclass(kw_only=True)
class Case:
    """One test action."""

    label: str
    name: str
    seconds: float = 0.0
    state: str = "not tried"
    failure: Failure | None = None
    tries: int = 1


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="test targets, folders, //a/... or :all")
    parser.add_argument("--junit", metavar="FILE", help="where to write JUnit XML")
    add_build_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Run every test among the labels; one that fails stops no other."""
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels, tests=True)
    options.keep_going = True
    display = display_of(options)
    times: dict[str, tuple[float, int]] = {}
    events = Events(display, lambda event: _listen(event, times))
    with session(workspace, request, events, cache_dir(options)) as opened:
        if not opened.roots():
            raise StbuildError("no test among these targets", hint="stbuild query 'kind(test, //...)'")
        report = build_and_tell(opened, workspace, options)
        display.close()
        cases = cases_of(opened, report, times)
    junit = Path(options.junit) if options.junit else layout.state_dir(workspace.root) / "junit.xml"
    write_junit(cases, junit)
    for case in cases:
        print("\n".join(_lines(case)))
    print(status_line(report))
    return 0 if all(case.state in ("passed", "cached") for case in cases) else 1


def cases_of(opened: Session, report: Report, times: dict[str, tuple[float, int]]) -> list[Case]:
    """What became of each test."""
    failures = {failure.id: failure for failure in report.failures}
    left = set(report.left_out)
    cases = []
    for root in opened.roots():
        node = opened.graph.nodes[root]
        spent, tries = times.get(root, (0.0, 1))
        case = Case(
            label=node.label, name=root.removeprefix(node.label).lstrip("#"), seconds=spent, tries=tries
        )
        case.failure = failures.get(root)
        if root not in left:
            case.state = "failed" if case.failure else "passed" if root in times else "cached"
        cases.append(case)
    return cases


def write_junit(cases: list[Case], path: Path) -> None:
    """One suite with a case for each test action."""
    bad = sum(case.state == "failed" for case in cases)
    total = f"{sum(case.seconds for case in cases):.3f}"
    suite = ElementTree.Element(
        "testsuite", name="stbuild", tests=str(len(cases)), failures=str(bad), time=total
    )
    for case in cases:
        item = ElementTree.SubElement(
            suite, "testcase", classname=case.label, name=case.name, time=f"{case.seconds:.3f}"
        )
        if case.failure is not None:
            text = "\n".join(case.failure.sentences())
            ElementTree.SubElement(item, "failure", message=case.failure.reason).text = text
        elif case.state == "not tried":
            ElementTree.SubElement(item, "skipped", message="what it needs could not be built")
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _listen(event: Event, times: dict[str, tuple[float, int]]) -> None:
    name = event.fields.get("id", "")
    spent, tries = times.get(name, (0.0, 1))
    match event.kind:
        case "action_retried":
            times[name] = (spent, tries + 1)
        case "action_finished" | "action_failed":
            times[name] = (event.fields.get("seconds", 0.0), tries)


def _lines(case: Case) -> list[str]:
    shard = f" {case.name}" if "." in case.name else ""
    tries = f", try {case.tries}" if case.tries > 1 else ""
    lines = [f"{case.state.upper():9} {case.label}{shard} ({seconds(case.seconds)}{tries})"]
    if case.failure is not None:
        lines += case.failure.sentences()[1:]
    return lines
