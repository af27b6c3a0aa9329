"""Leases on action keys: of those who would make the same result at once, one does and the others wait.

One file holds them all; a lease is a lock on the byte whose number is the key's beginning. The kernel
releases it when the holder dies, and no file is made or removed for an action.
"""

import errno
import fcntl
import os
import struct
from pathlib import Path

_F_OFD_SETLK = 37
_DIGITS = 15
_FLOCK = "hhqqi4x"
_NO_LOCKS = (errno.ENOLCK, errno.EINVAL, errno.EOPNOTSUPP)


class Leases:
    """The leases of one build on one cache."""

    def __init__(self, cache: Path) -> None:
        path = cache / "leases"
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def take(self, key: str) -> bool:
        """Take the lease of a key; False when another build has it."""
        return lock_byte(self._handle, int(key[:_DIGITS], 16))

    def release(self, key: str) -> None:
        """Give a lease back."""
        unlock_byte(self._handle, int(key[:_DIGITS], 16))

    def close(self) -> None:
        """Give all leases back."""
        os.close(self._handle)


def lock_byte(handle: int, byte: int) -> bool:
    """Lock one byte of a file; False when another process has it, True also where nobody can lock."""
    try:
        _lock(handle, fcntl.F_WRLCK, byte)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        if error.errno not in _NO_LOCKS:
            raise
    return True


def unlock_byte(handle: int, byte: int) -> None:
    """Unlock one byte of a file."""
    try:
        _lock(handle, fcntl.F_UNLCK, byte)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _lock(handle: int, kind: int, byte: int) -> None:
    fcntl.fcntl(handle, _F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, byte, 1, 0))
