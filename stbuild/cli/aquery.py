"""`stbuild aquery`: the exact command, inputs, environment and key of every action of a target."""

import argparse
import json
import shlex
from typing import Any

from stbuild.cli.parser import add_graph_options
from stbuild.cli.request import cache_dir, make_request, open_workspace
from stbuild.engine.graph.action import Action, Template
from stbuild.engine.record.events import Events
from stbuild.engine.session import Session, session


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="targets, folders, //a/... or :all")
    parser.add_argument("--deps", action="store_true", help="also the actions that these need")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    add_graph_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Describe the actions; keys are known where the inputs are."""
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels)
    with session(workspace, request, Events(), cache_dir(options), log=False) as opened:
        rows = describe(opened)
        if not options.deps:
            rows = [row for row in rows if row["label"] in wanted_labels(opened)]
    text = json.dumps(rows, indent=2) if options.json else "\n\n".join(map(_text, rows))
    print(text, end="\n" if text else "")
    return 0


def wanted_labels(opened: Session) -> set[str]:
    """The targets asked for, and those that make the files of one without actions of its own."""
    makers = {opened.graph.nodes[root].label for root in opened.roots()}
    return {*map(str, opened.labels), *makers}


def describe(opened: Session) -> list[dict[str, Any]]:
    """Every action below the request, producers first."""
    rows = []
    for node in opened.graph.needed(opened.roots()):
        if isinstance(node, Template):
            known = opened.evaluator.knows(node.over)
            actions = opened.evaluator.expand(node) if known else []
            found = [_describe(opened, action) for action in actions]
            if found and all(row["standing"] != "run" for row in found):
                opened.evaluator.assume_tree(node, actions)
            rows += found or [_template(node)]
        else:
            rows.append(_describe(opened, node))
    return rows


def _describe(opened: Session, action: Action) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": action.id, "label": action.label, "mnemonic": action.mnemonic, "argv": list(action.argv),
        "inputs": [file.staged for file in action.inputs], "outputs": [file.made for file in action.outputs],
        "env": dict(action.env), "key": None, "standing": "run",
    }  # fmt: skip
    try:
        verdict = opened.evaluator.verdict(action)
    except KeyError:
        return row
    if verdict.record is not None:
        opened.evaluator.assume(action, verdict.record)
    parts = json.loads(verdict.key.parts)
    return {**row, **parts, "key": verdict.key.digest, "standing": verdict.standing.value}


def _template(node: Template) -> dict[str, Any]:
    text = f"one action for each {node.pattern} of {node.over.path}, when that is made"
    return {
        "id": node.id,
        "label": node.label,
        "mnemonic": node.mnemonic,
        "template": text,
        "standing": "run",
    }


def _text(row: dict[str, Any]) -> str:
    lines = [f"{row['id']}  ({row['standing']})"]
    if "template" in row:
        return f"{lines[0]}\n  {row['template']}"
    lines.append(f"  command: {shlex.join(row['argv'])}")
    inputs = row["inputs"]
    digests = inputs if isinstance(inputs, dict) else dict.fromkeys(inputs, "")
    lines += [f"  input:   {name} {digest[:12]}".rstrip() for name, digest in digests.items()]
    lines += [f"  output:  {name}" for name in row["outputs"]]
    lines += [f"  env:     {name}={value}" for name, value in (row.get("env") or {}).items()]
    lines += [f"  code:    {name} {digest[:12]}" for name, digest in row.get("code", {}).items()]
    lines += [f"  package: {name} {version}" for name, version in row.get("packages", {}).items()]
    lines += [f"  tool:    {name} {tool['version']}" for name, tool in row.get("tools", {}).items()]
    lines.append(f"  key:     {row['key'] or 'known when its inputs are made'}")
    return "\n".join(lines)
