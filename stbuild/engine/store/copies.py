"""Whether the copy of a content is still what it was, by its mode and times, and by its bytes where need be.

A blob and the outputs that show it are one file with several names, so a change of one is a change of all.
Who may write to it can put back its mode and its modification time, but not its change time (ctime): a copy
whose change time is known is sound, any other is read once.
"""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from enum import Enum

from stbuild.engine.keys import digest as digests

_PROBES = 3


class Found(Enum):
    """What was found out about a copy."""

    SOUND = "sound"
    MENDED = "mended"
    """The bytes are right; mode or time were not, and are again."""
    DAMAGED = "damaged"
    MISSING = "missing"


class Copies:
    """The copies that were made or read by this process, by inode: their digest and change time."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, int]] = {}
        self.mended: dict[str, int] = {}
        """When the mode or time of a copy was put right, by digest."""
        self.moved: set[str] = set()
        """Contents whose change time this process has changed while other outputs showed them."""

    def note(self, status: os.stat_result, digest: str) -> None:
        """Take a copy as sound: it has just been made, or its change time is that of a sound one."""
        self._known[status.st_ino] = (digest, status.st_ctime_ns)

    def note_own_change(self, status: os.stat_result, digest: str, *, names: int) -> None:
        """Take a sound copy as sound still after this process has touched it, or given or taken a name of it.

        A file with more than `names` names is shown by other outputs too, which have a new change time now.
        """
        if not is_sealed(status, digest):
            return
        self.note(status, digest)
        if status.st_nlink > names:
            self.moved.add(digest)

    def shown_at(self, target: str) -> dict[str, int]:
        """The inodes of known sound copies at an output's path, a file or a folder, by digest."""
        shown = {}
        for path in _files_at(target):
            status = os.lstat(path)
            digest, _ = self._known.get(status.st_ino, ("", 0))
            if digest and self.knows(status, digest):
                shown[digest] = status.st_ino
        return shown

    def knows(self, status: os.stat_result, digest: str) -> bool:
        """Whether a copy with this status is sound without being read."""
        return self._known.get(status.st_ino) == (digest, status.st_ctime_ns) and is_sealed(status, digest)

    def check(self, path: str, digest: str, *, doubt_ns: int | None = None) -> Found:
        """Judge the copy of a file's content at `path`; mode and time are put right where the bytes are.

        One that has changed after `doubt_ns` is read, though its change time is known: where the file system
        counts in steps, a change may have left the time of the one before it.
        """
        try:
            status = os.lstat(path)
        except OSError:
            return Found.MISSING
        if self.knows(status, digest) and (doubt_ns is None or status.st_ctime_ns < doubt_ns):
            return Found.SOUND
        if not stat.S_ISREG(status.st_mode):
            return Found.DAMAGED
        try:
            return self._read(path, digest, status)
        except OSError:
            return Found.DAMAGED

    def _read(self, path: str, digest: str, status: os.stat_result) -> Found:
        was_sealed = is_sealed(status, digest)
        if not status.st_mode & stat.S_IRUSR:
            os.chmod(path, digests.mode_of(digest))
        if digests.hash_file(path)[:64] != digest[:64]:
            return Found.DAMAGED
        if not was_sealed:
            seal(path, digest)
            self.mended[digest] = time.time_ns()
            status = os.lstat(path)
        self.note(status, digest)
        return Found.SOUND if was_sealed else Found.MENDED


def _files_at(target: str) -> Iterator[str]:
    if os.path.isdir(target) and not os.path.islink(target):
        yield from (f"{place}/{name}" for place, _, names in os.walk(target) for name in names)
    elif os.path.lexists(target):
        yield target


def counts_finely(folder: str) -> bool:
    """Whether two changes of a file in `folder`, one at once after the other, have different change times."""
    handle, path = tempfile.mkstemp(dir=folder)
    try:
        for _ in range(_PROBES):
            before = os.fstat(handle).st_ctime_ns
            os.fchmod(handle, 0o600)
            if os.fstat(handle).st_ctime_ns == before:
                return False
    finally:
        os.close(handle)
        os.unlink(path)
    return True


def seal(path: str | int, digest: str) -> None:
    """Give a copy the mode and the modification time that all copies of its content have."""
    os.chmod(path, digests.mode_of(digest))
    stamp = digests.content_mtime_ns(digest)
    os.utime(path, ns=(stamp, stamp))


def is_sealed(status: os.stat_result, digest: str) -> bool:
    """Whether a status has the mode and the modification time of a content's copies."""
    return status.st_mtime_ns == digests.content_mtime_ns(
        digest
    ) and status.st_mode == stat.S_IFREG | digests.mode_of(digest)
