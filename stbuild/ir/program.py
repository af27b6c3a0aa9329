"""The read/write program of a process: which streams it reads and writes, in which order, how often.

Control flow in a design does not depend on data, so that a program is known once the launch is: nested
loops over reads and writes, without values. It says what the process's C++ in hls_lib does, word by word.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """What the host asks for: `tokens` from `position` on, and whether it wants logits."""

    tokens: int
    position: int
    head: bool


@dataclass(frozen=True)
class Read:
    """One word from `stream`."""

    stream: str


@dataclass(frozen=True)
class Write:
    """One word to each of `streams`, to all of them at the same time."""

    streams: tuple[str, ...]


@dataclass(frozen=True)
class Repeat:
    """`body`, `count` times; `runs_of` is the number of the block whose runs these are, if they are runs."""

    count: int
    body: "Program"
    runs_of: int | None = None


Program = tuple[Read | Write | Repeat, ...]
"""Steps in their order. The innermost loops, of reads and writes only, are the pipelined ones."""


def reads(stream: str, words: int) -> Repeat:
    """`words` words from `stream`."""
    return Repeat(words, (Read(stream),))


def writes(stream: str, words: int) -> Repeat:
    """`words` words to `stream`."""
    return Repeat(words, (Write((stream,)),))


def moves(source: str, target: str, words: int) -> Repeat:
    """`words` words from `source` to `target`, one by one."""
    return Repeat(words, (Read(source), Write((target,))))


def run_lengths(values: Iterable[T]) -> list[tuple[T, int]]:
    """The values, each with how often it follows itself: of runs, those that are alike are one loop."""
    return [(value, len(list(group))) for value, group in groupby(values)]


@dataclass(frozen=True)
class Event:
    """`words` reads (or writes) of `streams`, one behind the other."""

    write: bool
    streams: tuple[str, ...]
    words: int


def events(program: Program) -> Iterator[Event]:
    """What the program does, step by step; equal steps that follow each other are one event."""
    last: Event | None = None
    for event in _steps(program):
        if last is not None and (last.write, last.streams) == (event.write, event.streams):
            last = Event(event.write, event.streams, last.words + event.words)
            continue
        if last is not None:
            yield last
        last = event
    if last is not None:
        yield last


def _steps(program: Program) -> Iterator[Event]:
    for node in program:
        match node:
            case Read(stream):
                yield Event(False, (stream,), 1)
            case Write(streams):
                yield Event(True, streams, 1)
            case Repeat(count, (Read(stream),)):
                yield from [Event(False, (stream,), count)] if count else []
            case Repeat(count, (Write(streams),)):
                yield from [Event(True, streams, count)] if count else []
            case Repeat(count, body):
                for _ in range(count):
                    yield from _steps(body)


@dataclass(frozen=True)
class Words:
    """How many words go from and to each stream."""

    read: Mapping[str, int]
    written: Mapping[str, int]


def words_of_program(program: Program) -> Words:
    """What `program` reads and writes in all."""
    read: Counter[str] = Counter()
    written: Counter[str] = Counter()
    _count(program, 1, read, written)
    return Words(+read, +written)


def _count(program: Program, times: int, read: Counter[str], written: Counter[str]) -> None:
    for node in program:
        match node:
            case Read(stream):
                read[stream] += times
            case Write(streams):
                for stream in streams:
                    written[stream] += times
            case Repeat(count, body) if count:
                _count(body, times * count, read, written)
