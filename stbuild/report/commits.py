"""The commits between two nights, by git."""

import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

SHOWN = 20
"""Commits of one change that a page lists."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit's id and the first line of its message."""

    id: str
    title: str


@lru_cache(maxsize=1024)
def commits_between(root: Path, old: str, new: str) -> tuple[Commit, ...]:
    """The commits that `new` has and `old` has not, the newest first, at most `SHOWN`.

    None where git does not know one of them, such as in a shallow clone.
    """
    if not old or not new or old == new:
        return ()
    words = ("git", "-C", str(root), "log", f"-{SHOWN}", "--format=%H%x09%s", f"{old}..{new}", "--")
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ()
    lines = [line.partition("\t") for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return tuple(Commit(id=commit, title=title) for commit, _, title in lines)
