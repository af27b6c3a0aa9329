"""Appends to our own files and reports a full disk or quota; a line is written whole or can be told apart."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stbuild.errors import NoRoomError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""How a write fails for want of room: the disk, the user's quota, or the largest size of a file."""


def append(handle: int, line: bytes) -> None:
    """Append a line. Where there is room for a part of it only, that part becomes a line of its own."""
    if os.write(handle, line) == len(line):
        return
    with suppress(OSError):
        os.write(handle, b"\n")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def told_when_full(place: str) -> Iterator[None]:
    """Turn a write that failed for want of room into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoomError(place, os.strerror(error.errno or 0)) from error
