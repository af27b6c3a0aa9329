"""Why a network hangs: the FIFO that each process waits for, and the cycle among the processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A process that waits to read an empty stream, or to write one that is full."""

    process: str
    write: bool
    stream: str
    depth: int
    fill: int

    def __str__(self) -> str:
        way, state = ("write", "full") if self.write else ("read", "too few" if self.fill else "empty")
        return f"{self.process} waits to {way} {self.stream} (depth {self.depth}, fill {self.fill}, {state})"


@dataclass(frozen=True, kw_only=True)
class Hang:
    """A network in which no process can continue: all that wait, and the cycle among them.

    There is always a cycle: as many words are written to a stream as are read, so nobody waits for a process
    that has ended.
    """

    waits: tuple[Wait, ...]
    cycle: tuple[Wait, ...]

    def __str__(self) -> str:
        return "\n".join(f"  {wait}" for wait in self.cycle)


Deepen = Callable[[tuple[Wait, ...]], str | None]
"""Chooses the stream of a cycle of waits that gets one word more; None: the network hangs."""


def never(_: tuple[Wait, ...]) -> str | None:
    """A handler that never deepens a FIFO: a hang ends the run."""
    return None


def cycle_of(waits_for: Mapping[int, int], order: Sequence[int]) -> list[int]:
    """The first processes in `order` that wait for each other, each for the next; none if no one does."""
    seen: set[int] = set()
    for start in order:
        way: dict[int, None] = {}
        at = start
        while at in waits_for and at not in seen:
            seen.add(at)
            way[at] = None
            at = waits_for[at]
        if at in way:
            chain = list(way)
            return chain[chain.index(at) :]
    return []
