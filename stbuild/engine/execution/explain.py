"""Why an action would run: what differs between its key now and the key under which it last ended."""

import json
from dataclasses import dataclass
from typing import Any

from stbuild.engine.execution.evaluate import Evaluator, Standing
from stbuild.engine.graph.action import Action, Node
from stbuild.engine.graph.artifact import Origin
from stbuild.engine.graph.graph import Graph
from stbuild.engine.keys.changes import Change, Recall, changes
from stbuild.engine.keys.digest import hash_bytes
from stbuild.engine.keys.key import Key
from stbuild.engine.store.state import State

NEVER = "has never been built here"
_KEPT_TEXT = 1 << 14
GONE = "an output is missing or was changed by hand, and the cache has no copy"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One action that is not up to date, and why; changes are (what, old, new)."""

    id: str
    label: str
    mnemonic: str
    verdict: str
    reason: str = ""
    changes: tuple[Change, ...] = ()


def why(graph: Graph, evaluator: Evaluator, action: Action, key: Key) -> tuple[str, tuple[Change, ...]]:
    """A reason, and what changed since the action last ended."""
    if not action.policy.cacheable:
        return "always runs", ()
    old = evaluator.state.parts(evaluator.name(action))
    remember_texts(evaluator.state, action)
    if old is None:
        return NEVER, ()
    found = _differences(graph, evaluator, action, json.loads(old), json.loads(key.parts))
    return ("" if found else GONE), found


def remember_texts(state: State, action: Action) -> None:
    """Keep an action's parameter files, so that a later explanation can name the parameter."""
    for file in action.inputs:
        if file.origin is Origin.TEXT and file.content is not None and len(file.content) <= _KEPT_TEXT:
            name = _note(hash_bytes(file.content.encode()))
            if state.note(name) is None:
                state.set_note(name, file.content)


def texts(state: State) -> Recall:
    """From a digest to the parameter file that had it, if it is remembered."""
    return lambda digest: state.note(_note(digest))


def explain(graph: Graph, evaluator: Evaluator, roots: list[str]) -> list[Explanation]:
    """Every action below `roots` that a build would run or take from the cache, in order; nothing is run."""
    found: list[Explanation] = []
    open_ids: dict[str, str] = {}
    for node in graph.needed(roots):
        waits = [open_ids[each] for each in graph.dependencies(node) if each in open_ids]
        if waits:
            open_ids[node.id] = waits[0]
            found.append(_behind(graph, evaluator, node, ", ".join(sorted(set(waits)))))
            continue
        for explanation in _judge(graph, evaluator, node):
            found.append(explanation)
            if explanation.verdict == "runs":
                open_ids[node.id] = f"{explanation.label} {explanation.mnemonic}"
    return found


def _behind(graph: Graph, evaluator: Evaluator, node: Node, waits: str) -> Explanation:
    """A node below one that runs: whether it runs is known only when its own command has changed."""
    old = evaluator.state.parts(evaluator.name(node)) if isinstance(node, Action) else None
    if old is not None and isinstance(node, Action):
        parts = json.loads(old)
        own = {"argv": list(node.argv), "outputs": [file.made for file in node.outputs]}
        if node.env or "env" in parts:
            own["env"] = dict(node.env)  # type: ignore[assignment]  # parts are plain JSON
        before = {name: parts.get(name) for name in own}
        found = _differences(graph, evaluator, node, before, own)
        if found:
            return _told(node, "runs", f"after {waits}", found)
    return _told(node, "may run", f"after {waits}, if its result differs")


def _differences(
    graph: Graph, evaluator: Evaluator, action: Action, old: dict[str, Any], new: dict[str, Any]
) -> tuple[Change, ...]:
    made = {file.staged: file for file in action.inputs if file.origin is Origin.OUTPUT}

    def maker(staged: str) -> str:
        return graph.nodes[graph.producer(made[staged])].label if staged in made else ""

    return tuple(changes(old, new, recall=texts(evaluator.state), maker=maker))


def _judge(graph: Graph, evaluator: Evaluator, node: Node) -> list[Explanation]:
    if isinstance(node, Action):
        return _judge_action(graph, evaluator, node)
    actions = evaluator.expand(node)
    found = [each for action in actions for each in _judge_action(graph, evaluator, action)]
    if not any(each.verdict == "runs" for each in found):
        evaluator.assume_tree(node, actions)
    return found


def _judge_action(graph: Graph, evaluator: Evaluator, action: Action) -> list[Explanation]:
    verdict = evaluator.verdict(action)
    if verdict.standing is Standing.CLEAN:
        return []
    reason, found = why(graph, evaluator, action, verdict.key)
    if verdict.record is not None:
        evaluator.assume(action, verdict.record)
        reason = "its output is not in place" if reason == GONE else reason
        return [_told(action, "from cache", reason, found)]
    return [_told(action, "runs", reason, found)]


def _note(digest: str) -> str:
    return f"text:{digest}"


def _told(node: Node, verdict: str, reason: str, found: tuple[Change, ...] = ()) -> Explanation:
    return Explanation(
        id=node.id, label=node.label, mnemonic=node.mnemonic, verdict=verdict, reason=reason, changes=found
    )
