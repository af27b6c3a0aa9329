"""`stbuild build`: make targets and end with what came out."""

import argparse
import json
import sys
from typing import TextIO

from stbuild.cli.parser import add_build_options
from stbuild.cli.request import build_options, cache_dir, make_request, open_workspace
from stbuild.console import PlainDisplay, status_line
from stbuild.engine.build import Report
from stbuild.engine.events import Events
from stbuild.engine.session import Session, session


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="targets, folders, //a/... or :all")
    add_build_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Build the labels."""
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels)
    events = Events(PlainDisplay(verbose=options.verbose))
    with session(workspace, request, events, cache_dir(options)) as opened:
        report = opened.build(build_options(workspace, options))
        close(opened, report, sys.stdout)
    return 1 if report.failures else 0


def close(opened: Session, report: Report, stream: TextIO) -> None:
    """Print failures and the closing lines: status, bundle, check, speed."""
    for failure in report.failures:
        print("\n".join(failure.sentences()), file=sys.stderr)
    print(status_line(report), file=stream)
    if report.failures:
        return
    for label in opened.labels:
        for line in summary_lines(opened, str(label)):
            print(line, file=stream)


def summary_lines(opened: Session, label: str) -> list[str]:
    """What a target's summary says of its bundle, its check and its speed."""
    file = opened.graph.targets[label].summary
    if file is None:
        return []
    summary = json.loads(opened.path(file).read_text())
    return [f"{name}: {summary[name]}" for name in ("bundle", "check", "speed") if summary.get(name)]
