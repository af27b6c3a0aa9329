"""What the log of HLS says of loops: the II asked for and reached, and what stood in the way."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_RESULT = re.compile(
    r"Pipelining result\s*:\s*Target II = (?P<target>\w+), Final II = (?P<final>\w+), Depth = (?P<depth>\w+)"
    r"(?:, (?P<what>loop|function) '(?P<name>[^']*)')?"
)
_PIPELINING = re.compile(r"Pipelining (?:loop|function) '([^']+)'")
_VIOLATION = re.compile(
    r"\[\S+ 200-(?:880|885)\] (?:The II Violation in (?:the )?module '(?P<module>[^']*)' \((?:loop|function)"
    r" '(?P<loop>[^']*)'\)\s*:\s*)?(?P<cause>.*)$"
)
_PLACE = re.compile(r"(?:^|[\s('\"])((?:[A-Za-z]:)?[^\s('\",:]+\.(?:c|cc|cpp|cxx|h|hh|hpp|hxx)):(\d+)")


@dataclass(frozen=True, kw_only=True)
class Pipelining:
    """A loop or function that was pipelined; `target` is None for `NA`, when no II was asked for."""

    name: str
    target: int | None
    final: int | None
    depth: int | None


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What kept a loop from a lower II; `place` is `file:line` of the source, else empty."""

    module: str
    loop: str
    cause: str
    place: str


def pipelinings(lines: list[str]) -> Iterator[Pipelining]:
    """The results in the order of the log; before 2020 only the line above a result names its loop."""
    name = ""
    for line in lines:
        if "Pipelining" not in line:
            continue
        begun = _PIPELINING.search(line)
        if begun:
            name = begun[1]
        found = _RESULT.search(line)
        if found:
            target, final, depth = (_count(found[key]) for key in ("target", "final", "depth"))
            yield Pipelining(name=found["name"] or name, target=target, final=final, depth=depth)


def violations(lines: list[str]) -> Iterator[Violation]:
    """What kept loops from their II; up to 2019.x the message names no loop."""
    for line in lines:
        found = _VIOLATION.search(line) if "200-88" in line else None
        if found:
            place = _PLACE.search(found["cause"])
            yield Violation(
                module=found["module"] or "",
                loop=found["loop"] or "",
                cause=found["cause"].strip(),
                place=f"{place[1]}:{place[2]}" if place else "",
            )


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None
