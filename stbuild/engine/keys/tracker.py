"""Which files and folders a build looked at, each with its signature from before it was read."""

import os
import time
from pathlib import Path

from stbuild.errors import StbuildError

TICK_NS = 50_000_000
"""Longer than the steps in which any local file system counts time (10 ms at most on Linux)."""

_TRIES = 20
_BYTE_CODE = "__pycache__"
_NEVER = (-1, -1, -1, -1)

Signature = tuple[int, int, int, int] | None


class Tracker:
    """Collects paths; a path that does not exist counts too, since its appearance would matter."""

    def __init__(self) -> None:
        self.paths: dict[str, Signature] = {}
        self._names: dict[str, frozenset[str]] = {}

    def saw(self, path: Path | str) -> None:
        """Record that `path` was read, listed, or looked for; call it before that."""
        name = str(path)
        if name in self.paths:
            return
        self.paths[name] = settled_signature(name)
        if _is_folder(self.paths[name]):
            self._names[name] = _listing(name)

    def settle(self) -> None:
        """Sign anew the folders in which nothing has come or gone since, but for Python's byte code."""
        for name, names in self._names.items():
            if signature(name) == self.paths[name]:
                continue
            fresh = settled_signature(name)
            if _is_folder(fresh) and _listing(name) == names:
                self.paths[name] = fresh


def signature(path: str) -> Signature:
    """What changes when a file or folder does; None where nothing is."""
    try:
        return _signature_of(os.stat(path))
    except OSError:
        return None


def settled_signature(path: str) -> Signature:
    """The signature of a path that has rested for a tick, so that any later change gives another one.

    One that keeps changing gets a signature that nothing has.
    """
    try:
        return _signature_of(rested(path))
    except StbuildError:
        return _NEVER
    except OSError:
        return None


def rested(path: str) -> os.stat_result:
    """The status of a path, once its last change lies a tick back.

    A change within the tick of the one before could leave the same times. Times in the future, which are left
    by a clock that was set back, are as good as old ones.
    """
    for _ in range(_TRIES):
        status = os.stat(path)
        age_ns = time.time_ns() - status.st_ctime_ns
        if abs(age_ns) >= TICK_NS:
            return status
        time.sleep((TICK_NS - age_ns) / 1e9)
    raise keeps_changing(path)


def keeps_changing(path: str) -> StbuildError:
    """The sentence for a file that is written all the time."""
    return StbuildError(f"{path} keeps changing", hint="stop what writes it, and build again")


def _signature_of(status: os.stat_result) -> Signature:
    if status.st_mode & 0o170000 == 0o040000:
        return (0, status.st_mtime_ns, 0, status.st_ino)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _is_folder(sig: Signature) -> bool:
    return sig is not None and sig[2] == 0


def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder)) - {_BYTE_CODE}
    except OSError:
        return frozenset()
