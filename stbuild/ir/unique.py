"""Unique names: the wanted one where it is free, else with a number behind it."""

from collections.abc import Callable, Iterable


def _nothing(name: str) -> tuple[str, ...]:
    return ()


class UniqueNames:
    """Names of one kind; `taken` are given to nobody."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def new(self, wanted: str, derived: Callable[[str], Iterable[str]] = _nothing) -> str:
        """`wanted`, or `wanted_2`, `wanted_3`, ... if it, or one of the names `derived` from it, is taken."""
        name, number = wanted, 1
        while self._taken.intersection((name, *derived(name))):
            number += 1
            name = f"{wanted}_{number}"
        self._taken.update((name, *derived(name)))
        return name
