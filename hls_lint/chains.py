"""Values that wait for each other: selections in a row, and a scalar that waits for its own last value."""

from collections.abc import Sequence
from dataclasses import dataclass

from clang.cindex import CursorKind as Kind

from hls_lint.flow import Flow, Made, adds_floats, is_product, united
from hls_lint.record import Loop, LoopKind
from hls_lint.tree import Node

SHORTEST = 8
"""Selections in a row that fit no cycle of 4 ns: each is a comparison and a multiplexer, about 0.5 ns."""
_SELECTIONS = (Kind.CONDITIONAL_OPERATOR, Kind.CALL_EXPR)
_WAITING = ("<<=", ">>=", "/=", "%=")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A new value of the scalar `root`, which `outside` loops stand around, under conditions."""

    node: Node
    to: Node
    source: Node
    root: int
    outside: int
    loops: Sequence[Loop]
    conditions: Sequence[Node]

    def made(self, flow: Flow, depth: int) -> Made:
        """What the new value is made of."""
        conditions = united(flow.of(c, depth) for c in self.conditions)
        return united((flow.of(self.source, depth), conditions.behind(False)))


def chain_of(new: Assignment, flow: Flow) -> int:
    """How many values of one iteration of a pipeline wait for each other, if it is too many; else 0.

    Sums of integers are left out: the tool makes trees of them by itself.
    """
    length = 1
    for loop in reversed(new.loops[new.outside :]):
        if loop.kind is not LoopKind.UNROLLED:
            break
        length *= loop.trip or 1
    return length if length >= SHORTEST and _waits(new, flow) else 0


def _waits(new: Assignment, flow: Flow) -> bool:
    """Whether the new value is chosen by the old one, or no sum."""
    if new.node.operator in _WAITING or is_product(new.node) or adds_floats(new.node, new.to):
        return True
    if _is_carried(new):
        made = new.made(flow, len(new.loops))
        return new.root in made.chosen or new.root in made.slow
    parts = [*new.conditions, *([new.source] if new.source.kind in _SELECTIONS else [])]
    return any(flow.root(n) == new.root for part in parts for n in part.walk())


def _is_carried(new: Assignment) -> bool:
    """Whether the next iteration of a pipeline needs the value; if not, a chain only adds stages."""
    return any(loop.kind is LoopKind.PIPELINED for loop in new.loops[new.outside :])


def recurrence_of(new: Assignment, flow: Flow) -> Loop | None:
    """The pipeline that begins an iteration each cycle, though the scalar's next value takes several."""
    for number, loop in enumerate(new.loops):
        if loop.kind is LoopKind.PIPELINED:
            own = is_product(new.node) or adds_floats(new.node, new.to)
            slow = own or new.root in new.made(flow, number + 1).slow
            return loop if slow and loop.ii == 1 and new.outside <= number else None
    return None
