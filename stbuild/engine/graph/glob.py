"""Patterns over paths: `*` stays within a folder, `**` crosses folders."""

import re
from collections.abc import Iterable
from functools import lru_cache


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path with slashes matches one of the patterns."""
    return any(_compiled(pattern).fullmatch(path) for pattern in patterns)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    text = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", pattern):
        match part:
            case "**/":
                text += r"(?:[^/]+/)*"
            case "**":
                text += r".*"
            case "*":
                text += r"[^/]*"
            case "?":
                text += r"[^/]"
            case _:
                text += re.escape(part)
    return re.compile(text)
