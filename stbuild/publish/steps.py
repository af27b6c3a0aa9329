"""The actions of a build as its provenance tells of them: key, what was read, digests of what was made."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stbuild.engine.graph.action import Action, Template
from stbuild.engine.graph.artifact import File, Origin
from stbuild.engine.session import Session

_IN = "in/"


@dataclass(frozen=True, kw_only=True)
class Step:
    """An action. Digests are those of the engine: SHA-256, with `x` of an executable, `t` of a folder."""

    id: str
    key: str
    node: str
    """The id of the template that it belongs to, or its own."""
    after: tuple[str, ...]
    """The nodes whose outputs it reads."""
    outputs: Mapping[str, str]
    sources: Mapping[str, str]
    externals: Mapping[str, str]
    code: Mapping[str, str]
    packages: Mapping[str, str]
    tools: Mapping[str, str]


def steps_of(opened: Session, outputs: list[File]) -> tuple[Step, ...]:
    """The actions that make these files, producers first, as they are after the build.

    Of their outputs only those are told that are among the files or that another of these actions reads: what
    was measured is neither.
    """
    roots = list(dict.fromkeys(opened.graph.producer(file) for file in outputs))
    actions = [each for node in opened.graph.needed(roots) for each in _actions(opened, node)]
    read = {file.path for _, action in actions for file in action.producer_inputs}
    read |= {file.path for file in outputs}
    return tuple(_step(opened, node, action, read) for node, action in actions)


def _actions(opened: Session, node: Action | Template) -> Iterator[tuple[str, Action]]:
    each = opened.evaluator.expand(node) if isinstance(node, Template) else [node]
    return ((node.id, action) for action in each)


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _step(opened: Session, node: str, action: Action, read: set[str]) -> Step:
    key = opened.keys[action.id]
    parts = json.loads(opened.state.parts_of(key) or "{}")
    made = {file.path: opened.evaluator.digest(file) for file in action.outputs}
    inputs = _inputs(opened, action, parts.get("inputs", {}))
    fetched = made if action.policy.network else {}
    after = {opened.graph.producer(file) for file in action.producer_inputs if file.origin is Origin.OUTPUT}
    return Step(
        id=action.id,
        key=key,
        node=node,
        after=tuple(sorted(after)),
        outputs={path: digest for path, digest in made.items() if _is_read(path, read)},
        sources=inputs[Origin.SOURCE],
        externals={**inputs[Origin.EXTERNAL], **fetched},
        code={**parts.get("code", {}), **inputs[Origin.LIBRARY]},
        packages=parts.get("packages", {}),
        tools={name: each["version"] for name, each in parts.get("tools", {}).items()},
    )


def _is_read(path: str, read: set[str]) -> bool:
    """Whether an output is read itself, or the folder that it lies in, or a file within it."""
    inside = f"{path}/"
    return not read.isdisjoint((path, *_parents(path))) or any(each.startswith(inside) for each in read)


def _inputs(opened: Session, action: Action, digests: Mapping[str, str]) -> dict[Origin, dict[str, str]]:
    """The inputs by where they come from; headers, which stand in the key only, are told by their path."""
    origins = {file.staged: file.origin for file in (*action.inputs, *action.cxx.sources)}
    found: dict[Origin, dict[str, str]] = {origin: {} for origin in Origin}
    for staged, digest in digests.items():
        path = staged.removeprefix(_IN)
        found[origins.get(staged) or _header(opened, path)][path] = digest
    return found


def _header(opened: Session, path: str) -> Origin:
    made = opened.graph.producers
    if path in made or any(parent in made for parent in _parents(path)):
        return Origin.OUTPUT
    return Origin.SOURCE if (opened.workspace.root / path).is_file() else Origin.LIBRARY
