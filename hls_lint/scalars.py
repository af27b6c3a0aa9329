"""The scalars of a process as the walk meets them: where each lives, and which wait for themselves."""

from collections.abc import Sequence
from typing import Any

from hls_lint.arrays import holds_memory
from hls_lint.chains import Assignment, chain_of, recurrence_of
from hls_lint.evaluate import Evaluator, Scope
from hls_lint.flow import Flow
from hls_lint.record import Chain, Loop, Process, Recurrence
from hls_lint.tree import Node, kind_of


class Scalars:
    """`loops` and `conditions` are those around the place of the walk, which changes them."""

    def __init__(
        self, found: Process, evaluate: Evaluator, loops: Sequence[Loop], conditions: Sequence[Node]
    ) -> None:
        self._found, self._evaluate = found, evaluate
        self._loops, self._conditions = loops, conditions
        self._flow = Flow(is_memory=self._is_memory, element=self._element)
        self._outside: dict[int, int] = {}
        self._elements: dict[object, int] = {}
        self._scope: Scope = {}

    def declare(self, variable: Node) -> None:
        """A variable begins here."""
        self._outside[variable.declared] = len(self._loops)

    def make(self, variable: Node, start: Node, scope: Scope) -> None:
        """A variable has its first value."""
        self._scope = scope
        depth = len(self._loops)
        self._flow.assign(variable.declared, self._flow.of(start, depth), depth)

    def bind(self, parameter: Any, argument: Node, scope: Scope) -> None:
        """A parameter by reference is the caller's own variable; one by value is made of it."""
        self._scope = scope
        number, depth = int(parameter.hash), len(self._loops)
        if kind_of(parameter.type) == "LVALUEREFERENCE":
            self._flow.alias(number, argument)
        else:
            self._flow.assign(number, self._flow.of(argument, depth), depth)

    def assign(self, node: Node, to: Node, source: Node, scope: Scope, here: dict[str, Any]) -> None:
        """A variable has a new value: does it wait for an older one of its own?"""
        self._scope = scope
        root = self._flow.root(to)
        outside = self._outside.get(root)
        if outside is None:
            return
        new = Assignment(
            node=node, to=to, source=source, root=root, outside=outside, loops=tuple(self._loops),
            conditions=tuple(self._conditions),
        )  # fmt: skip
        length, name = chain_of(new, self._flow), self._flow.name(to)
        if length:
            self._found.chains.append(Chain(**here, name=name, length=length))
        if recurrence_of(new, self._flow) is not None:
            self._found.recurrences.append(Recurrence(**here, name=name))
        if node.operator == "=":
            self._flow.assign(root, new.made(self._flow, len(self._loops)), len(self._loops))

    def _element(self, node: Node) -> int:
        """A number for an element whose indices are constants; 0 for another."""
        place = self._evaluate.place(node, self._scope)
        if place is None or not place.indices or any(i.known is None for i in place.indices):
            return 0
        number = self._elements.setdefault((place.array, place.indices), -1 - len(self._elements))
        self._outside[number] = len(place.variable.loops)
        return number

    def _is_memory(self, node: Node) -> bool:
        place = self._evaluate.place(node, self._scope)
        return place is not None and holds_memory(self._found, place.array)
