"""The action graph of one request: nodes in an order in which every producer comes before its readers."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from stbuild.engine.graph.action import Node
from stbuild.engine.graph.artifact import File, Origin
from stbuild.errors import StbuildError


class TargetNode(Struct, frozen=True, kw_only=True):
    """One analysed target: what it hands on, and the actions that make it."""

    label: str
    rule: str
    where: str
    files: tuple[File, ...]
    nodes: tuple[str, ...]
    deps: tuple[str, ...]
    attrs: tuple[tuple[str, Any], ...] = ()
    tests: tuple[str, ...] = ()
    summary: tuple[File, ...] = ()
    run_argv: tuple[str | File, ...] = ()


class Graph(Struct, frozen=True, kw_only=True):
    """Targets by label and nodes by id; plain values without the rules that made them."""

    configuration: str
    targets: dict[str, TargetNode]
    nodes: Mapping[str, Node]
    producers: dict[str, str] = field(default_factory=dict)
    """From an output's path to the id of the node that makes it."""
    below: dict[str, list[str]] = field(default_factory=dict)
    """What `dependencies` has found, by id."""

    def needed(self, roots: list[str]) -> list[Node]:
        """The nodes that `roots` need, producers first; a cycle is told as a path."""
        order: list[Node] = []
        state: dict[str, bool] = {}
        for root in roots:
            self._visit(root, state, order)
        return order

    def _visit(self, root: str, state: dict[str, bool], order: list[Node]) -> None:
        if root in state:
            return
        state[root] = False
        stack = [(root, iter(self.dependencies(self.nodes[root])))]
        while stack:
            name, pending = stack[-1]
            below = next(pending, None)
            if below is None:
                state[name] = True
                order.append(self.nodes[name])
                stack.pop()
            elif below not in state:
                state[below] = False
                stack.append((below, iter(self.dependencies(self.nodes[below]))))
            elif not state[below]:
                raise _cycle([each for each, _ in stack], below)

    def dependencies(self, node: Node) -> list[str]:
        """The ids of the nodes that make the inputs of `node`."""
        below = self.below.get(node.id)
        if below is None:
            made = [file for file in node.producer_inputs if file.origin is Origin.OUTPUT]
            below = self.below[node.id] = list(dict.fromkeys(self.producer(file, node) for file in made))
        return below

    def producer(self, file: File, reader: Node | None = None) -> str:
        """The id of the node that makes `file`, or the tree that it lies in."""
        path = file.path
        while path:
            made_by = self.producers.get(path)
            if made_by is not None:
                return made_by
            path = path.rpartition("/")[0]
        who = f"{reader.label} reads" if reader else "the build needs"
        raise StbuildError(
            f"{who} {file.path}, which no action makes", where=reader.where if reader else None
        )


def index_producers(nodes: dict[str, Node]) -> dict[str, str]:
    """From each output's path to its node; one output of two nodes is an error that names both."""
    producers: dict[str, str] = {}
    for node in nodes.values():
        for file in node.outputs:
            other = producers.setdefault(file.path, node.id)
            if other != node.id:
                first = nodes[other]
                message = f"{file.path} is made by {first.label} ({first.where}) and by {node.label}"
                raise StbuildError(message, where=node.where)
    for path, name in producers.items():
        _refuse_nesting(path, nodes[name], producers)
    return producers


def _refuse_nesting(path: str, node: Node, producers: Mapping[str, str]) -> None:
    above = path.rpartition("/")[0]
    while above:
        if above in producers:
            raise StbuildError(f"{path} lies in {above}, which is an output too", where=node.where)
        above = above.rpartition("/")[0]


def _cycle(path: list[str], again: str) -> StbuildError:
    ring = [*path[path.index(again) :], again]
    return StbuildError("dependency cycle: " + " -> ".join(ring))
