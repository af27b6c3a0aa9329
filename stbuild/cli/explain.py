"""`stbuild explain`: why a target would run, and why it ran in the last build."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from stbuild import layout
from stbuild.cli.parser import add_graph_options
from stbuild.cli.request import cache_dir, make_request, open_workspace
from stbuild.engine.events import Events
from stbuild.engine.explain import Explanation, explain
from stbuild.engine.session import Session, session
from stbuild.engine.workspace import Workspace


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
        behind = _last_build(workspace, _labels(opened))
    if options.json:
        print(json.dumps({"next": [asdict(each) for each in ahead], "last": behind}, indent=2))
        return 0
    if not ahead:
        print("nothing would run: everything is up to date")
    for each in ahead:
        print("\n".join(_lines(each)))
    if behind:
        print("in the last build:")
    for event in behind:
        print(f"  {event['label']} {event['mnemonic']} ran: {event['reason'] or 'something changed'}")
        for what, old, new in event["changes"]:
            print(f"      {what}: {old} -> {new}")
    return 0


def _lines(each: Explanation) -> list[str]:
    reason = f": {each.reason}" if each.reason else ""
    lines = [f"{each.label} {each.mnemonic} {each.verdict}{reason}"]
    return lines + [f"    {what}: {old} -> {new}" for what, old, new in each.changes]


def _labels(opened: Session) -> set[str]:
    return {node.label for node in opened.graph.needed(opened.roots())}


def _last_build(workspace: Workspace, labels: set[str]) -> list[dict[str, Any]]:
    try:
        text = (layout.state_dir(workspace.root) / "events.ndjson").read_text()
    except FileNotFoundError:
        return []
    events = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    return [event for event in events if event["event"] == "action_started" and event["label"] in labels]
