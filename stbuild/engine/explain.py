"""Why an action would run: what differs between its key now and the key under which it last ended."""

import json
from dataclasses import dataclass

from stbuild.engine.action import Action, Node
from stbuild.engine.evaluate import Evaluator, Standing
from stbuild.engine.graph import Graph
from stbuild.engine.key import Key, differences

NEVER = "has never been built here"
GONE = "an output is missing or was changed by hand, and the cache has no copy"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One action that is not up to date, and why; changes are (what, old, new)."""

    id: str
    label: str
    mnemonic: str
    verdict: str
    reason: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()


def why(evaluator: Evaluator, action: Action, key: Key) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    """A reason, and what changed since the action last ended."""
    if not action.policy.cacheable:
        return "always runs", ()
    old = evaluator.state.parts(evaluator.name(action))
    if old is None:
        return NEVER, ()
    changes = tuple(differences(json.loads(old), json.loads(key.parts)))
    return ("" if changes else GONE), changes


def explain(graph: Graph, evaluator: Evaluator, roots: list[str]) -> list[Explanation]:
    """Every action below `roots` that a build would run or take from the cache, in order; nothing is run."""
    found: list[Explanation] = []
    open_ids: dict[str, str] = {}
    for node in graph.needed(roots):
        waits = [open_ids[each] for each in graph.dependencies(node) if each in open_ids]
        if waits:
            open_ids[node.id] = waits[0]
            reason = f"after {', '.join(sorted(set(waits)))}, if its result differs"
            found.append(_told(node, "may run", reason))
            continue
        for explanation in _judge(evaluator, node):
            found.append(explanation)
            if explanation.verdict == "runs":
                open_ids[node.id] = f"{explanation.label} {explanation.mnemonic}"
    return found


def _judge(evaluator: Evaluator, node: Node) -> list[Explanation]:
    if isinstance(node, Action):
        return _judge_action(evaluator, node)
    actions = evaluator.expand(node)
    found = [each for action in actions for each in _judge_action(evaluator, action)]
    if not any(each.verdict == "runs" for each in found):
        evaluator.assume_tree(node, actions)
    return found


def _judge_action(evaluator: Evaluator, action: Action) -> list[Explanation]:
    verdict = evaluator.verdict(action)
    if verdict.standing is Standing.CLEAN:
        return []
    reason, changes = why(evaluator, action, verdict.key)
    if verdict.record is not None:
        evaluator.assume(action, verdict.record)
        reason = "its output is not in place" if reason == GONE else reason
        return [_told(action, "from cache", reason, changes)]
    return [_told(action, "runs", reason, changes)]


def _told(
    node: Node, verdict: str, reason: str, changes: tuple[tuple[str, str, str], ...] = ()
) -> Explanation:
    return Explanation(
        id=node.id, label=node.label, mnemonic=node.mnemonic, verdict=verdict, reason=reason, changes=changes
    )
