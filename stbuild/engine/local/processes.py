"""Processes and what descends from them, as /proc tells it."""

import contextlib
import os
import signal
import time

GRACE_S = 2.0
"""So long is waited for killed processes to be gone."""


def kill_tree(top: int) -> None:
    """Kill a process and all that descend from it, also those that left its session."""
    for pid in _descendants(top):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(top, signal.SIGKILL)


def kill_all() -> None:
    """Kill every descendant of this process until none is left."""
    end = time.monotonic() + GRACE_S
    while time.monotonic() < end:
        below = [pid for pid in _descendants(os.getpid()) if pid != os.getpid()]
        if not below:
            return
        for pid in below:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _processes() -> dict[int, tuple[int, int, int]]:
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(name)] = (int(fields[1]), int(fields[3]), int(fields[21]))
    return found


def _descendants(top: int) -> list[int]:
    known = _processes()
    below: dict[int, list[int]] = {}
    for pid, (parent, _, _) in known.items():
        below.setdefault(parent, []).append(pid)
    found = [top] if top in known else []
    pending = [top]
    while pending:
        children = below.get(pending.pop(), [])
        found += children
        pending += children
    found += [pid for pid, (_, session, _) in known.items() if session == top and pid not in found]
    return found


def resident_kb(top: int) -> int:
    """The memory that a process and its descendants have now."""
    known = _processes()
    pages = sum(known[pid][2] for pid in _descendants(top) if pid in known)
    return pages * (os.sysconf("SC_PAGESIZE") // 1024)
