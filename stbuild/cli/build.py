"""`stbuild build`: make targets and end with what came out."""

import argparse
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from typing import TextIO

from stbuild.cli.parser import add_build_options
from stbuild.cli.request import (
    build_options,
    cache_dir,
    display_of,
    listened_to,
    make_request,
    open_workspace,
)
from stbuild.cli.watch import Seen, command_words, files_of, watch
from stbuild.console import status_line
from stbuild.engine.execution.build import Report
from stbuild.engine.load.workspace import Workspace
from stbuild.engine.repeat.delta import find
from stbuild.engine.repeat.noop import Saved, load
from stbuild.engine.session import Session, session
from stbuild.errors import shortened
from stbuild.library.building import Origin, build, summary_of


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="targets, folders, //a/... or :all")
    parser.add_argument("--watch", action="store_true", help="build again whenever a file has changed")
    parser.add_argument("--json", action="store_true", help="print what came out as JSON")
    add_build_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Build the labels, once or after every change."""
    if not options.watch:
        return _once(options, options.saved)[0]

    def again() -> Seen:
        options.began = time.monotonic()
        return _once(options, load(command_words()))[1]

    return watch(open_workspace().root, again)


def _once(options: argparse.Namespace, saved: Saved | None) -> tuple[int, Seen]:
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels)
    remembers = not (options.json or options.events)
    display = display_of(options)
    words = command_words()
    delta = None if saved is None else find(words, saved)
    with (
        closing(display),
        listened_to(options, display) as events,
        session(workspace, request, events, cache_dir(options), delta=delta) as opened,
    ):
        report = build_and_tell(opened, workspace, options)
        display.close()
        if options.json:
            print(json.dumps(outcome(opened, report), indent=2))
        lines = close(opened, report, sys.stderr if options.json else sys.stdout)
        if remembers and not report.failures:
            opened.remember_noop(words, report.settled, lines)
        return (1 if report.failures else 0), (files_of(opened) if options.watch else {})


def build_and_tell(
    opened: Session, workspace: Workspace, options: argparse.Namespace, origin: Origin = "build"
) -> Report:
    """Build, and note in the log how it ended."""
    command = " ".join(sys.argv[1:])
    return build(
        opened, build_options(workspace, options), command=command, began=options.began, origin=origin
    )


def close(opened: Session, report: Report, stream: TextIO) -> list[str]:
    """Print failures and the closing lines: status, then what the targets say, which it returns."""
    for failure in report.failures:
        print("\n".join(failure.sentences()), file=sys.stderr)
    if report.left_out:
        print(f"not tried: {shortened(report.left_out)}", file=sys.stderr)
    print(status_line(report), file=stream)
    if report.failures:
        return []
    if not report.settled and any(opened.graph.targets[str(label)].tests for label in opened.labels):
        print("  nothing to build: `stbuild test` runs the tests", file=stream)
    lines = [line for label in opened.labels for line in summary_lines(opened, str(label))]
    print("\n".join(lines), end="\n" if lines else "", file=stream)
    return lines


def outcome(opened: Session, report: Report) -> dict[str, object]:
    """A build as JSON: the counts, and what each target is made of or why it failed."""
    return {
        "ended": "failed" if report.failures else "done",
        **{name: getattr(report, name) for name in ("ran", "cached", "clean")},
        "seconds": round(report.seconds, 3),
        "failures": [asdict(failure) for failure in report.failures],
        "not_tried": list(report.left_out),
        "targets": {} if report.failures else {str(each): _made(opened, str(each)) for each in opened.labels},
    }


def _made(opened: Session, label: str) -> dict[str, object]:
    files = [str(opened.path(file)) for file in opened.graph.targets[label].files]
    return {"files": files, **summary_of(opened, label)}


def summary_lines(opened: Session, label: str) -> list[str]:
    """What a target's summary says of its bundle, its check and its speed."""
    return [f"{name}: {text}" for name, text in summary_of(opened, label).items()]
