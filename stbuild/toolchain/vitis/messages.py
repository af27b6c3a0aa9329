"""Lines of a log as messages: `LEVEL: [TOOL CODE] text`, as v++, vpl, HLS and Vivado write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_MESSAGE = re.compile(
    r"^\s*(?:#\s*|\d+:\s*|\[[\d: -]+\]\s*)?"
    r"(?P<level>ERROR|FATAL|CRITICAL WARNING|CRITICAL_WARNING|WARNING|INFO)\s*:\s*"
    r"(?:\[(?P<tool>[A-Za-z_+]+(?:\s[A-Za-z_+]+)?)[ -](?P<code>[\w-]*\d[\w-]*)\]\s*:?\s*)?(?P<text>.*)$"
)
_WORDS = ("ERROR", "FATAL", "WARNING", "INFO")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Level(Enum):
    """How grave a message is."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL WARNING"
    ERROR = "ERROR"


_LEVELS = {"FATAL": Level.ERROR, "CRITICAL_WARNING": Level.CRITICAL}


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message. `code` is such as `60-732`, `tool` such as `VPL`; both are empty where there is none."""

    level: Level
    tool: str
    code: str
    text: str
    line: int
    """Its line in the log, from 1 on."""
    raw: str
    """The line as it stands there, without colours and blanks around it."""


def lines_of(data: str) -> list[str]:
    """The lines of a log without colours; a carriage return, with which progress is redrawn, ends one too."""
    return _COLOURS.sub("", data).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def messages(lines: list[str]) -> Iterator[Message]:
    """Every message in the lines of a log."""
    for number, line in enumerate(lines, 1):
        if not any(word in line for word in _WORDS):
            continue
        found = _MESSAGE.match(line)
        if found is not None:
            level = found["level"]
            yield Message(
                level=_LEVELS.get(level) or Level(level),
                tool=found["tool"] or "",
                code=found["code"] or "",
                text=found["text"].strip(),
                line=number,
                raw=line.strip(),
            )
