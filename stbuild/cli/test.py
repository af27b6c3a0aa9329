"""`stbuild test`: run test targets and tell which passed; JUnit XML for those who read that."""

import argparse
import json
import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from stbuild import layout
from stbuild.cli.build import build_and_tell
from stbuild.cli.junit import PASSED, Attempt, Case, cases_in, has_failed, write_junit
from stbuild.cli.parser import add_build_options
from stbuild.cli.request import cache_dir, display_of, listened_to, make_request, open_workspace
from stbuild.cli.watch import Seen, files_of, watch
from stbuild.console import seconds, status_line
from stbuild.engine.execution.build import Report
from stbuild.engine.graph.action import Action, Node
from stbuild.engine.record.events import Event
from stbuild.engine.session import Session, session
from stbuild.errors import StbuildError

LOGS = "testlogs"
_FEW = 10
"""So many cases that went wrong are named for each test."""

_SHARD = re.compile(r"Shard(\d+)of(\d+)$")


class Notes:
    """What the events tell of each test: how long it took, its log, and the tries that failed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.ran: set[str] = set()
        self.logs: dict[str, str] = {}
        self.reports: dict[str, str] = {}
        """What tests that failed had written of their cases."""
        self.attempts: dict[str, list[Attempt]] = {}

    def __call__(self, event: Event) -> None:
        """Take down an event."""
        fields = event.fields
        name = fields.get("id", "")
        match event.kind:
            case "action_retried":
                attempt = Attempt(reason=fields["reason"], line=fields["line"])
                self.attempts.setdefault(name, []).append(attempt)
            case "action_cached":
                self.seconds[name] = fields["saved_s"]
            case "action_finished" | "action_failed":
                self.ran.add(name)
                self.seconds[name] = fields["seconds"]
                self.logs[name] = fields["log"]
                self.reports[name] = fields.get("report", "")


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="test targets, folders, //a/... or :all")
    parser.add_argument("--junit", metavar="FILE", help=f"JUnit XML (default: stbuild-out/{LOGS}/junit.xml)")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--watch", action="store_true", help="test again whenever a file has changed")
    add_build_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Run every test among the labels, once or after every change; one that fails stops no other."""
    options.keep_going = True
    if not options.watch:
        return _once(options)[0]

    def again() -> Seen:
        options.began = time.monotonic()
        return _once(options)[1]

    return watch(open_workspace().root, again)


def _once(options: argparse.Namespace) -> tuple[int, Seen]:
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels, tests=True)
    display = display_of(options)
    notes = Notes()
    with (
        closing(display),
        listened_to(options, display, notes) as events,
        session(workspace, request, events, cache_dir(options)) as opened,
    ):
        if not opened.roots():
            raise StbuildError("no test among these targets", hint="stbuild query 'kind(test, //...)'")
        report = build_and_tell(opened, workspace, options, origin="test")
        display.close()
        cases = cases_of(opened, report, notes)
        seen = files_of(opened) if options.watch else {}
    folder = layout.out_dir(workspace.root) / LOGS
    write_junit(cases, folder, Path(options.junit) if options.junit else folder / "junit.xml")
    _tell(cases, report, as_json=options.json)
    return (0 if all(case.state in PASSED for case in cases) else 1), seen


def cases_of(opened: Session, report: Report, notes: Notes) -> list[Case]:
    """What became of each test."""
    failures = {failure.id: failure for failure in report.failures}
    left = set(report.left_out)
    lasted = opened.evaluator.state.seconds()
    cases = []
    for root in opened.roots():
        node = opened.graph.nodes[root]
        case = Case(label=node.label, name=_name(node.mnemonic), log=notes.logs.get(root, ""))
        case.seconds = notes.seconds.get(root, lasted.get(f"{opened.graph.configuration}/{root}", 0.0))
        case.failure, case.attempts = failures.get(root), notes.attempts.get(root, [])
        if case.failure:
            case.state, case.report = "failed", notes.reports.get(root, "")
        elif root not in left:
            case.state = "cached" if root not in notes.ran else "flaky" if case.attempts else "passed"
            case.report = _report(opened, node)
        cases.append(case)
    return cases


def _report(opened: Session, node: Node) -> str:
    """Where the cases lie that a test which passed wrote down."""
    made = node.policy.report if isinstance(node, Action) else ""
    return next((str(opened.path(file)) for file in node.outputs if file.made == made), "")


def _name(mnemonic: str) -> str:
    shard = _SHARD.match(mnemonic)
    return f"shard {shard[1]} of {shard[2]}" if shard else mnemonic.lower()


def _tell(cases: list[Case], report: Report, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_row(case) for case in cases], indent=2))
        return
    for case in cases:
        print("\n".join(_lines(case)))
    print(status_line(report))


def _row(case: Case) -> dict[str, Any]:
    return {
        "label": case.label,
        "name": case.name,
        "state": case.state,
        "seconds": round(case.seconds, 3),
        "failed_tries": [str(attempt) for attempt in case.attempts],
        "failure": "\n".join(case.failure.sentences()) if case.failure else None,
        "log": case.log,
    }


def _lines(case: Case) -> list[str]:
    shard = f" {case.name}" if case.name.startswith("shard ") else ""
    tries = f", try {len(case.attempts) + 1}" if case.attempts else ""
    lines = [f"{case.state.upper():9} {case.label}{shard} ({seconds(case.seconds)}{tries})"]
    lines += [f"  try {number} {attempt}" for number, attempt in enumerate(case.attempts, start=1)]
    if case.failure is not None:
        lines += [f"  {case.failure.reason}", *case.failure.sentences()[1:]]
        wrong = [each for each in cases_in(case) if has_failed(each)]
        lines += [f"  case {_shown(each)}" for each in wrong[:_FEW]]
        lines += [f"  … and {len(wrong) - _FEW} cases more"] if len(wrong) > _FEW else []
    return lines


def _shown(case: ElementTree.Element) -> str:
    """The name of a test's own case, on one line whatever stands in it."""
    name = f"{case.get('classname')}.{case.get('name')}"
    return "".join(letter if letter.isprintable() else " " for letter in name)
