"""How long the records of builds are kept: by age, and the oldest go first when they take too much room."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from stbuild.engine.record.history import BuildFiles

_DAY_S = 86_400.0
_EVERY_S = 3600.0
"""Old builds are looked for so often, since looking takes a `stat` of each file."""
_MARK = ".swept"


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Builds older than `days` go, and the oldest of those that together take more than `megabytes`."""

    days: float
    megabytes: float


def sweep(known: Sequence[BuildFiles], keep: Retention) -> None:
    """Remove what is not to be kept; the last build stays in any case."""
    if not known or _swept_lately(f"{known[-1].folder}/{_MARK}"):
        return
    oldest_s, room = time.time() - keep.days * _DAY_S, keep.megabytes * 1e6
    for build in reversed(known):
        sizes, changed_s = _looked_at(build)
        room -= sizes
        if build is not known[-1] and (room < 0 or changed_s < oldest_s):
            build.remove()


def _swept_lately(mark: str) -> bool:
    try:
        lately = 0 <= time.time() - os.stat(mark).st_mtime < _EVERY_S
    except FileNotFoundError:
        lately = False
    if not lately:
        with open(mark, "w"):
            os.utime(mark)
    return lately


def _looked_at(build: BuildFiles) -> tuple[int, float]:
    """The bytes of a build's files, and when its events were last written."""
    size, changed_s = 0, 0.0
    for path in build.paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        size += status.st_size
        changed_s = max(changed_s, status.st_mtime)
    return size, changed_s
