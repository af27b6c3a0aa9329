"""What descends from this process: finding it, looking at it, and ending all of it.

The spawner loads this file by path, so it imports the standard library only.
"""

import contextlib
import ctypes
import os
import re
import signal
import time
from collections.abc import Callable, Collection, Iterator

GRACE_S = 2.0
"""So long is waited for killed processes to be gone."""

_PR_SET_CHILD_SUBREAPER = 36
_MAY_WRITE = os.O_WRONLY | os.O_RDWR
_SHARED = re.compile(r"\S+ .w.s \S+ \S+ [1-9]\d* +(/.*)\n")
"""A line of /proc/PID/maps: a file whose mapped bytes can be written, and are shared."""


def adopt_orphans() -> None:
    """Become the subreaper: a descendant whose parent has died becomes our child, wherever it has gone."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def waker() -> int:
    """A handle that can be read whenever a child has ended."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def end_descendants(look: Callable[[int], None] | None = None) -> list[int]:
    """Kill all that descends from this process and wait until it is gone; what is not, after a while.

    `look` is shown every process before it is killed. Where there is none, this costs one system call.
    """
    deadline = time.monotonic() + GRACE_S
    while _have_children():
        below = _descendants(os.getpid())
        for pid in below:
            if look is not None:
                look(pid)
        for pid in below:
            kill(pid)
        if time.monotonic() > deadline:
            return below
        time.sleep(0.001)
    return []


def orphans(keepers: Collection[int]) -> list[int]:
    """The descendants of this process that are neither keepers nor descend from one."""
    below = _children()
    found: list[int] = []
    pending = [pid for pid in below.get(os.getpid(), []) if pid not in keepers]
    while pending:
        found.append(pending.pop())
        pending += below.get(found[-1], [])
    return found


def kill(pid: int) -> None:
    """Kill a process, if it is there and ours."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def named(pid: int) -> str:
    """What a user can know a process by."""
    try:
        with open(f"/proc/{pid}/comm") as stream:
            return f"{stream.read().strip()} (process {pid})"
    except OSError:
        return f"process {pid}"


def writer_below(folder: str, pid: int) -> str:
    """A file below `folder` that a process can write to; '' for none, or where we may not look."""
    return next((path for path in _writable(pid) if path.startswith(f"{folder}/")), "")


def writer_of(path: str) -> str:
    """A process that can write to the file at `path` without opening it anew; '' for none that we see."""
    real = os.path.realpath(path)
    found = (int(name) for name in os.listdir("/proc") if name.isdigit())
    writers = (pid for pid in found if pid != os.getpid() and real in _writable(pid))
    return next(map(named, writers), "")


def resident_kb() -> int:
    """The memory that the descendants of this process have now."""
    pages = 0
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm", "rb") as stream:
            pages += int(stream.read().split()[1])
    return pages * (os.sysconf("SC_PAGESIZE") // 1024)


def _have_children() -> bool:
    """Reap what has ended; whether anything is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _writable(pid: int) -> Iterator[str]:
    """The files that a process has open to write, or mapped so that what it stores is written."""
    with contextlib.suppress(OSError):
        for handle in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/{pid}/fd/{handle}")
                if path.startswith("/") and _flags(pid, handle) & _MAY_WRITE:
                    yield path
        with open(f"/proc/{pid}/maps", errors="surrogateescape") as stream:
            yield from (found[1] for found in map(_SHARED.match, stream) if found)


def _flags(pid: int, handle: str) -> int:
    with open(f"/proc/{pid}/fdinfo/{handle}") as stream:
        return next(int(line.split()[1], 8) for line in stream if line.startswith("flags:"))


def _descendants(top: int) -> list[int]:
    below = _children()
    found: list[int] = []
    pending = list(below.get(top, []))
    while pending:
        found.append(pending.pop())
        pending += below.get(found[-1], [])
    return found


def _children() -> dict[int, list[int]]:
    """From each process of the machine to its children."""
    found: dict[int, list[int]] = {}
    for pid, parent in _parents():
        found.setdefault(parent, []).append(pid)
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stream:
                yield int(name), int(stream.read().rpartition(b")")[2].split()[1])
