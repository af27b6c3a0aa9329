"""Memory limits that the kernel keeps: a control group for one action, where this user may make groups.

Versions 1 and 2 are known (cgroup-v1/memory.rst and cgroup-v2.rst in Documentation/admin-guide of Linux).
Where neither is open to us, the spawner looks at the processes from time to time instead.
"""

import contextlib
import functools
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass

_PREFIX = "stbuild-"
_KILLED = re.compile(r"oom_kill [1-9]")
_AT_LIMIT = re.compile(r"oom [1-9]")
_LIMIT = {1: "memory.limit_in_bytes", 2: "memory.max"}
_EVENTS = {1: "memory.oom_control", 2: "memory.events"}
_PEAK = {1: "memory.max_usage_in_bytes", 2: "memory.peak"}


@dataclass(frozen=True, kw_only=True)
class GroupParent:
    """A folder in which groups that limit memory can be made."""

    folder: str
    version: int


class MemoryGroup:
    """The group of one action; what joins it, and all that descends from it, shares one limit."""

    def __init__(self, parent: GroupParent, name: str, limit_mb: int) -> None:
        self._folder = f"{parent.folder}/{_own()}{name}"
        self._version = parent.version
        self._limit = limit_mb << 20
        os.mkdir(self._folder)
        limit = str(self._limit)
        try:
            self._write(_LIMIT[parent.version], limit)
        except OSError:
            os.rmdir(self._folder)
            raise
        with contextlib.suppress(OSError):  # Not every kernel counts swap.
            if parent.version == 2:
                self._write("memory.oom.group", "1")
                self._write("memory.swap.max", "0")
            else:
                self._write("memory.memsw.limit_in_bytes", limit)

    def join(self) -> None:
        """Put the calling process into the group."""
        self._write("cgroup.procs", "0")

    def overrun(self) -> bool:
        """Whether the kernel has killed a process of the group because the group was at its limit.

        It counts what was killed for want of memory elsewhere too; then the group was not.
        """
        events = _lines(f"{self._folder}/{_EVENTS[self._version]}")
        if not any(map(_KILLED.match, events)):
            return False
        if self._version == 2:
            return any(map(_AT_LIMIT.match, events))
        return self.peak_kb() >= self._limit >> 10

    def peak_kb(self) -> int:
        """The most memory that the group has had, cached files included; 0 where the kernel does not tell."""
        return int(next(iter(_lines(f"{self._folder}/{_PEAK[self._version]}")), "0")) >> 10

    def close(self) -> bool:
        """End what is left in the group and remove it; False while a process has not gone yet."""
        for pid in _lines(f"{self._folder}/cgroup.procs"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            os.rmdir(self._folder)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _write(self, name: str, text: str) -> None:
        with open(f"{self._folder}/{name}", "w") as stream:
            stream.write(text)


@functools.cache
def find_parent() -> GroupParent | None:
    """Where groups can be made; what a killed build has left there is removed."""
    for parent in _parents():
        if _usable(parent):
            _sweep(parent.folder)
            return parent
    return None


def _own() -> str:
    """How our groups' names begin; processes in another name space of numbers have names of their own."""
    return f"{_PREFIX}{os.stat('/proc/self/ns/pid').st_ino}-{os.getpid()}-"


def _usable(parent: GroupParent) -> bool:
    probe = f"{parent.folder}/{_own()}probe"
    try:
        os.mkdir(probe)
        usable = all(
            os.access(f"{probe}/{name}", os.W_OK) for name in (_LIMIT[parent.version], "cgroup.procs")
        )
        os.rmdir(probe)
    except OSError:
        return False
    return usable


def _parents() -> Iterator[GroupParent]:
    """Our own group; in version 2 one that hands memory on, which may be the one that ours lies in."""
    mounts = _mounts()
    for line in _lines("/proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        for root, mounted in mounts.get("memory" if "memory" in controllers.split(",") else controllers, []):
            if not path.startswith(root.rstrip("/")):
                continue
            own = os.path.normpath(f"{mounted}/{path.removeprefix(root.rstrip('/'))}")
            if controllers:
                yield GroupParent(folder=own, version=1)
                continue
            above = [own] if own == mounted else [own, os.path.dirname(own)]
            yield from (GroupParent(folder=each, version=2) for each in above if _hands_on_memory(each))


def _mounts() -> dict[str, list[tuple[str, str]]]:
    """Root and mount point of the hierarchies that may limit memory, by what /proc/self/cgroup calls them."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in _lines("/proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        root, mounted = left.split(" ")[3:5]
        if kind == "cgroup2":
            found.setdefault("", []).append((root, mounted))
        elif kind == "cgroup" and "memory" in options.split(","):
            found.setdefault("memory", []).append((root, mounted))
    return found


def _hands_on_memory(folder: str) -> bool:
    return any("memory" in line.split() for line in _lines(f"{folder}/cgroup.subtree_control"))


def _sweep(folder: str) -> None:
    space, _, _ = _own().removeprefix(_PREFIX).partition("-")
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            found = re.fullmatch(rf"{_PREFIX}{space}-(\d+)-.*", name)
            if found and not os.path.exists(f"/proc/{found[1]}"):
                with contextlib.suppress(OSError):
                    os.rmdir(f"{folder}/{name}")


def _lines(path: str) -> list[str]:
    try:
        with open(path) as stream:
            return stream.read().splitlines()
    except OSError:
        return []
