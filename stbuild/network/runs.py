"""Runs of a block that repeat each other: when the state of a network is that of a run before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stbuild.network.code import Enter, Instruction, Leave


@dataclass(frozen=True)
class RunLoop:
    """The loop over the `count` runs of `block`; its counter lies at `slot`."""

    block: int
    slot: int
    count: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Where all processes are, `at` in their code; `counters` of their loops; the `rest` of the state."""

    at: tuple[int, ...]
    rest: tuple[tuple[int, ...], ...]
    counters: tuple[tuple[int, ...], ...]


def run_loops(code: Sequence[Instruction]) -> Mapping[int, RunLoop]:
    """For each instruction inside a loop over runs, that loop."""
    found: dict[int, RunLoop] = {}
    loop: RunLoop | None = None
    for at, ins in enumerate(code):
        if isinstance(ins, Enter) and ins.block is not None:
            loop = RunLoop(ins.block, ins.slot, ins.count)
        elif isinstance(ins, Leave) and loop is not None and ins.slot == loop.slot:
            loop = None
        elif loop is not None:
            found[at] = loop
    return found


def runs_ahead(before: Snapshot, now: Snapshot, block: int, loops: Sequence[Mapping[int, RunLoop]]) -> int:
    """How many runs of `block` will go as the last one did, for sure; 0 if it is not known.

    That is so if all that has changed is that each process in a loop over these runs is one run further:
    what follows from here is what followed from there, until the first process reaches its last run.
    """
    if (before.at, before.rest) != (now.at, now.rest):
        return 0
    ahead: list[int] = []
    for at, old, new, own in zip(now.at, before.counters, now.counters, loops, strict=True):
        loop = own.get(at)
        if loop is None or loop.block != block:
            if old != new:
                return 0
            continue
        expected = (*old[: loop.slot], old[loop.slot] + 1, *old[loop.slot + 1 :])
        if new != expected:
            return 0
        ahead.append(loop.count - 1 - new[loop.slot])
    return min(ahead, default=0)
