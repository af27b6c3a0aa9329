"""How often a loop runs, where its bounds are constants."""

from collections.abc import Callable
from math import ceil

from clang.cindex import CursorKind as Kind

from hls_lint.tree import Node, kind_of
from hls_lint.values import Value

RANGE = Kind.CXX_FOR_RANGE_STMT
_COMPARISONS = ("<", "<=", ">", ">=", "!=")
_MOST = 64
"""Steps of a loop whose variable is halved or doubled."""


def range_of(loop: Node) -> tuple[Node, Node]:
    """The variable of a `for` over an array, and the array."""
    variable = next(c for c in loop.children if c.kind == Kind.VAR_DECL)
    return variable, next(c for c in loop.children if c.kind.is_expression())


def length_of_range(loop: Node) -> int | None:
    """The elements of an array that a `for` goes over; None for any other loop."""
    if loop.kind != RANGE:
        return None
    type_ = range_of(loop)[1].cursor.type.get_canonical()
    return int(type_.element_count) if kind_of(type_) == "CONSTANTARRAY" else None


def header(loop: Node) -> tuple[Node | None, Node | None, Node | None]:
    """The variable of a `for`, its condition, its step."""
    variable = condition = step = None
    for part in loop.children[:-1]:
        if part.kind == Kind.DECL_STMT and variable is None:
            variable = part.children[0]
        elif part.kind == Kind.BINARY_OPERATOR and part.operator in _COMPARISONS:
            condition = part
        elif part.kind in (Kind.UNARY_OPERATOR, Kind.COMPOUND_ASSIGNMENT_OPERATOR):
            step = part
    return variable, condition, step


def bounds(loop: Node, value: Callable[[Node], Value]) -> tuple[Value, Value] | None:
    """The first value of the variable, and what it is compared with."""
    variable, condition, step = header(loop)
    if variable is None or condition is None or step is None or not variable.children:
        return None
    return value(variable.children[-1]), value(condition.children[1])


def trip_count(loop: Node, value: Callable[[Node], Value]) -> int | None:
    """The number of iterations; None if it is not known before run time."""
    found = bounds(loop, value)
    if found is None or found[0].known is None or found[1].known is None:
        return None
    first, last = found[0].known, found[1].known
    _, condition, step = header(loop)
    assert condition is not None and step is not None
    if step.kind == Kind.UNARY_OPERATOR:
        return _linear(first, last, 1, condition.operator)
    by = value(step.children[1]).known
    if by is None or by == 0:
        return None
    if step.operator in ("+=", "-="):
        return _linear(first, last, by, condition.operator)
    return _geometric(first, last, by, step.operator, condition.operator)


def _linear(first: int, last: int, by: int, comparison: str) -> int:
    return max(0, ceil((abs(last - first) + (comparison in ("<=", ">="))) / abs(by)))


def _geometric(first: int, last: int, by: int, operator: str, comparison: str) -> int | None:
    steps: dict[str, Callable[[int], int]] = {
        "*=": lambda x: x * by, "/=": lambda x: x // by, "<<=": lambda x: x << by, ">>=": lambda x: x >> by,
    }  # fmt: skip
    compare: dict[str, Callable[[int], bool]] = {
        "<": lambda x: x < last, "<=": lambda x: x <= last, ">": lambda x: x > last,
        ">=": lambda x: x >= last, "!=": lambda x: x != last,
    }  # fmt: skip
    if operator not in steps:
        return None
    at = first
    for count in range(_MOST):
        if not compare[comparison](at):
            return count
        at = steps[operator](at)
    return None
