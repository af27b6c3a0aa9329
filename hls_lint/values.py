"""Index values as linear functions of loop variables, and places in arrays and structs."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Value:
    """constant + sum of factor * loop variable + what nobody can tell before run time."""

    constant: int = 0
    terms: tuple[tuple[int, int], ...] = ()
    others: frozenset[str] = frozenset()

    @staticmethod
    def of_loop(number: int) -> "Value":
        """The variable of a loop."""
        return Value(terms=((number, 1),))

    @staticmethod
    def unknown(name: str, *parts: "Value") -> "Value":
        """A value of run time; it also depends on `parts`."""
        return Value(others=frozenset({name}).union(*(part.sources for part in parts)))

    @property
    def known(self) -> int | None:
        """The value if it is the same in every iteration."""
        return None if self.terms or self.others else self.constant

    @property
    def loops(self) -> set[int]:
        """The loops whose variables it is made of, also in ways that are not linear."""
        return {n for n, _ in self.terms} | {int(o[1:]) for o in self.others if o[0] == "#"}

    @property
    def sources(self) -> frozenset[str]:
        """Everything that it depends on."""
        return self.others | {f"#{n}" for n, _ in self.terms}

    @property
    def at_run_time(self) -> bool:
        """Whether it depends on more than loop variables."""
        return any(o[0] not in "#~" for o in self.others)

    def plus(self, other: "Value", sign: int = 1) -> "Value":
        """The sum or the difference."""
        terms = dict(self.terms)
        for number, factor in other.terms:
            terms[number] = terms.get(number, 0) + sign * factor
        return Value(
            constant=self.constant + sign * other.constant,
            terms=tuple(sorted((n, f) for n, f in terms.items() if f)),
            others=self.others | other.others,
        )

    def times(self, factor: int) -> "Value":
        """The product with a number."""
        if factor == 0:
            return Value()
        terms = tuple((n, f * factor) for n, f in self.terms)
        return Value(constant=self.constant * factor, terms=terms, others=self.others)


@dataclass(frozen=True, eq=False, kw_only=True)
class Variable:
    """An array or a struct that a process declares."""

    name: str
    type: Any
    at: str
    loops: frozenset[int] = frozenset()
    constant: bool = False


@dataclass(frozen=True, kw_only=True)
class Place:
    """An element or a member: the variable, the members named, the indices taken."""

    variable: Variable
    members: tuple[str, ...] = ()
    indices: tuple[Value, ...] = ()
    offset: Value = field(default_factory=Value)

    @property
    def array(self) -> tuple[Variable, tuple[str, ...]]:
        """The array that it lies in."""
        return self.variable, self.members

    def member(self, name: str) -> "Place":
        """A member of it."""
        return replace(self, members=(*self.members, name))

    def element(self, index: Value) -> "Place":
        """An element of it."""
        return replace(self, indices=(*self.indices, index.plus(self.offset)), offset=Value())

    def moved(self, distance: Value) -> "Place":
        """Where a pointer to it points once a number is added."""
        return replace(self, offset=self.offset.plus(distance))


_OPERATORS: Mapping[str, Callable[[int, int], int]] = {
    "*": operator.mul,
    "/": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "%": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
    "<<": operator.lshift,
    ">>": operator.rshift,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda a, b: int(bool(a) and bool(b)),
    "||": lambda a, b: int(bool(a) or bool(b)),
}


def calculate(spelling: str, a: int, b: int) -> int | None:
    """What C++ gives for two integers; None where it gives nothing."""
    undefined = (spelling in ("/", "%") and b == 0) or (spelling in ("<<", ">>") and not 0 <= b < 64)
    if undefined or spelling not in _OPERATORS:
        return None
    return int(_OPERATORS[spelling](a, b))
