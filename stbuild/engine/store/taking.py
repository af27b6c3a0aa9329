"""Makes sure that nobody can write to a file while it is taken into the store."""

import errno
import fcntl
import signal
import time
from collections.abc import Callable

_PATIENCE_S = 1.0
"""So long may the kernel need to let go of the files of a process that has ended."""
_PAUSE_S = 0.01


class StillOpen(Exception):
    """A process can write to a file that is to be taken: the file, and a name for the process."""

    def __init__(self, path: str, process: str) -> None:
        super().__init__(f"{process} can write to {path}")
        self.path = path
        self.process = process


def is_ours_alone(path: str, handle: int, writer_of: Callable[[str], str]) -> bool:
    """Whether nobody else can write to an open file, nor will be able to before the handle is closed.

    False where the kernel does not say; `StillOpen` where a process is found that can. It need not come from
    the action: a handle can be passed on through a socket.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not _lease(handle):
        process = writer_of(path)
        if not process:
            return _lease(handle)
        if time.monotonic() > deadline:
            raise StillOpen(path, process)
        time.sleep(_PAUSE_S)
    return True


def _lease(handle: int) -> bool:
    """Take a read lease: nobody has the file open to write, and who opens it waits. See fcntl(2)."""
    try:
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)  # SIGIO, which tells of who waits, would kill us.
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno != errno.EAGAIN  # Other errors: the file system has no leases.
    return True
