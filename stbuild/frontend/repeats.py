"""Finds the repeated layers of a flat list of ops by structure alone."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from stbuild.ir.op import Op
from stbuild.ir.param import Param
from stbuild.ops.attention import Attention

Source = tuple[str, int]
"""Where an operand comes from: ("own", op of this run), ("last", op of the run before), ("before", op)."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A value carried from run to run: op `first` before the first run, then op `out` of every run.

    `out` is None for a value from before that every run reads unchanged.
    """

    first: int
    out: int | None


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """`count` runs of `period` ops from op `start` on."""

    start: int
    period: int
    count: int
    slots: tuple[Slot, ...]

    @property
    def end(self) -> int:
        """The op behind the last run."""
        return self.start + self.period * self.count


def find_repeat(ops: tuple[Op, ...]) -> Repeat | None:
    """The runs that cover most ops; of these the shortest period, then the fewest carried values."""
    at = {op.name: i for i, op in enumerate(ops)}
    inputs = [tuple(at[n] for n in op.operands) for op in ops]
    for group in _candidates(ops):
        found = [r for start, period, count in group if (r := _wired(start, period, count, inputs))]
        if found:
            return min(found, key=lambda r: (sum(ops[s.first].width for s in r.slots), r.start))
    return None


def signature(op: Op) -> tuple[object, ...]:
    """Everything about an op but its name, its source, what it reads, and what may differ by run."""
    other = ("name", "origin", "line", *op.run_fields, *op.operand_fields)
    known = (f for f in fields(op) if f.name not in other)
    values = (getattr(op, f.name) for f in known)
    plain = tuple(replace(v, names=()) if isinstance(v, Param) else v for v in values)
    return (type(op).__name__, len(op.operands), *plain)


def _candidates(ops: tuple[Op, ...]) -> Iterator[list[tuple[int, int, int]]]:
    """Possible (start, period, count), in groups that cover the same number of ops, most first."""
    numbers: dict[tuple[object, ...], int] = {}
    kinds = np.array([numbers.setdefault(signature(op), len(numbers)) for op in ops])
    attends = np.cumsum([0, *(isinstance(op, Attention) for op in ops)])
    groups: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for period in range(1, len(ops) // 2 + 1):
        for low, high in _stretches(kinds[:-period] == kinds[period:]):
            count = (high - low) // period + 1
            key = (-count * period, period)
            starts = range(low, low + (high - low) % period + 1)
            if count > 1 and (attends[low + period] > attends[low] or not attends[-1]):
                groups.setdefault(key, []).extend((s, period, count) for s in starts)
    for key in sorted(groups):
        yield groups[key]


def _stretches(equal: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], equal.astype(int), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _wired(start: int, period: int, count: int, inputs: list[tuple[int, ...]]) -> Repeat | None:
    """The repeat with what it carries, if all runs are wired alike."""
    slots: dict[Slot, None] = {}
    for j in range(period):
        for place in range(len(inputs[start + j])):
            sources = [_source(inputs[start + r * period + j][place], start, period, r) for r in range(count)]
            fits, slot = _slot_of(sources)
            if not fits:
                return None
            if slot:
                slots[slot] = None
    repeat = Repeat(start=start, period=period, count=count, slots=tuple(slots))
    return _with_later_reads(repeat, inputs)


def _source(op: int, start: int, period: int, run: int) -> Source:
    own = start + run * period
    if op >= own:
        return ("own", op - own)
    if op < start:
        return ("before", op)
    return ("last", op - own + period)


def _slot_of(sources: list[Source]) -> tuple[bool, Slot | None]:
    """Whether an operand has the same source in all runs, and the value carried for it, if any."""
    first, *rest = sources
    if all(s == first for s in rest):
        return True, Slot(first=first[1], out=None) if first[0] == "before" else None
    kind, out = rest[0]
    alike = first[0] == "before" and kind == "last" and out >= 0 and all(s == rest[0] for s in rest)
    return alike, Slot(first=first[1], out=out) if alike else None


def _with_later_reads(repeat: Repeat, inputs: list[tuple[int, ...]]) -> Repeat | None:
    """Carry what ops after the runs read; None if they read a value that cannot be carried."""
    slots = list(repeat.slots)
    last = repeat.end - repeat.period
    for op in (o for later in inputs[repeat.end :] for o in later if o < repeat.end):
        if op >= repeat.start and all(s.out is None or last + s.out != op for s in slots):
            return None
        passed = Slot(first=op, out=None)
        if op < repeat.start and passed not in slots:
            slots.append(passed)
    return replace(repeat, slots=tuple(slots))
