"""`stbuild explain`: why a target would run, and why it last ran."""

import argparse
import json
import time
from dataclasses import asdict
from typing import Any

from stbuild import layout
from stbuild.cli.parser import add_graph_options
from stbuild.cli.request import cache_dir, make_request, open_workspace
from stbuild.engine.execution.explain import Explanation, explain
from stbuild.engine.record.events import Events
from stbuild.engine.record.history import last_runs
from stbuild.engine.session import Session, session


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="targets, folders, //a/... or :all")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    add_graph_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Compute the keys as they are now and compare."""
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels)
    with session(workspace, request, Events(), cache_dir(options), log=False) as opened:
        ahead = explain(opened.graph, opened.evaluator, opened.roots())
        behind = last_runs(layout.state_dir(workspace.root), _labels(opened))
    if options.json:
        print(json.dumps({"next": [asdict(each) for each in ahead], "last": behind}, indent=2))
        return 0
    if not ahead:
        print("nothing would run: everything is up to date")
    for each in ahead:
        print("\n".join(_lines(each)))
    for event in behind:
        print("\n".join(_ran(event)))
    return 0


def _ran(event: dict[str, Any]) -> list[str]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(event["time"]))
    reason = f": {event['reason']}" if event["reason"] else ""
    lines = [f"{event['label']} {event['mnemonic']} ran in build {event['build']} ({when}){reason}"]
    return lines + [f"    {what}: {old} -> {new}" for what, old, new in event["changes"]]


def _lines(each: Explanation) -> list[str]:
    reason = f": {each.reason}" if each.reason else ""
    lines = [f"{each.label} {each.mnemonic} {each.verdict}{reason}"]
    return lines + [f"    {what}: {old} -> {new}" for what, old, new in each.changes]


def _labels(opened: Session) -> set[str]:
    return {node.label for node in opened.graph.needed(opened.roots())}
