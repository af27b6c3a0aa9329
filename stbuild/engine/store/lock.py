"""A lock on a folder that the kernel releases when its holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stbuild.errors import StbuildError


@contextmanager
def exclusive(path: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold `path` alone; `waiting` is told who holds it now, before we wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        hint = "stbuild keeps what it builds and knows there; remove what is in the way, or make room"
        message = f"{path.parent} cannot be written: {error.strerror}"
        raise StbuildError(message, hint=hint, exit_code=1) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown")
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
