"""A process that runs one action at a time and is the subreaper of all that the action starts.

So whatever the action leaves behind, in whatever session, is a descendant of its keeper, and has ended before
the keeper answers. The spawner loads this file by path, so it imports the standard library only.
"""

import contextlib
import ctypes
import marshal
import os
import select
import signal
import socket
import threading
import time
from typing import Any

if __package__:
    from stbuild.engine.local import cgroup, landlock
    from stbuild.engine.local.processes import (
        GRACE_S,
        adopt_orphans,
        end_descendants,
        named,
        resident_kb,
        waker,
        writer_below,
    )
    from stbuild.engine.local.starting import SIGNALS, WRITTEN, become, spawn
else:
    import cgroup  # type: ignore[import-not-found,no-redef]
    import landlock  # type: ignore[import-not-found,no-redef]
    from processes import (  # type: ignore[import-not-found,no-redef]
        GRACE_S,
        adopt_orphans,
        end_descendants,
        named,
        resident_kb,
        waker,
        writer_below,
    )
    from starting import SIGNALS, WRITTEN, become, spawn  # type: ignore[import-not-found,no-redef]

_PR_SET_PDEATHSIG = 1
_HEAD = 4
_POLL_S = 0.25

Request = dict[str, Any]


class Running:
    """The action under way."""

    def __init__(
        self, request: Request, pid: int, group: "cgroup.MemoryGroup | None", started: float
    ) -> None:
        self.pid = pid
        self.group = group
        self.started = started
        self.limit_kb = request["memory_mb"] * 1024
        self.peak_kb = 0
        self.fate = ""
        self.process = ""  # The one that `fate` tells of, and what it did.
        self.deadline = self.started + request["timeout"] if request["timeout"] else None

    def overrun(self) -> bool:
        """Whether the action has more memory than it may."""
        if not self.limit_kb:
            return False
        self.peak_kb = max(self.peak_kb, resident_kb())
        return self.peak_kb > self.limit_kb or (self.group is not None and self.group.overrun())

    def note_group(self) -> None:
        """Take what the group knows of an action that has ended."""
        if self.group and (self.fate == "memory" or (not self.fate and self.group.overrun())):
            self.fate = "memory"
            self.peak_kb = max(self.peak_kb, self.group.peak_kb())


class Keeper:
    """Requests in, one at a time; the outcome out once all that the action started has ended."""

    def __init__(self, channel: socket.socket, spaces: list[int] | None) -> None:
        self._channel = channel
        self._buffer = b""
        self._spaces = spaces
        self._left: list[cgroup.MemoryGroup] = []
        """Groups that could not be removed yet."""
        adopt_orphans()
        self._wake = waker()

    def run(self) -> None:
        """Serve until the engine closes its end or dies; then nothing of the action is left."""
        try:
            while (request := self._receive()) is not None:
                if request["op"] == "run":  # A `stop` may come when its action has ended by itself.
                    self._perform(request)
        finally:
            end_descendants()
            self._remove_groups()

    def _perform(self, request: Request) -> None:
        group = _memory_group(request)
        started = time.monotonic()  # Before the process: the action may run long before we do again.
        try:
            running = Running(request, self._begin(request, group), group, started)
        except OSError as error:
            self._left += [group] if group else []
            with contextlib.suppress(OSError), open(request["log"], "w") as stream:
                stream.write(f"error: cannot start {request['argv'][0]}: {error.strerror}\n")
            self._answer({"id": request["id"], "code": 127, "seconds": 0.0})
            return
        status, peak_kb = self._watch(running)
        seconds = time.monotonic() - running.started
        code = os.waitstatus_to_exitcode(status)
        _end_rest(running, request["cwd"], ended_well=code == 0)
        running.note_group()
        self._left += [group] if group else []
        self._remove_groups()
        self._answer({
            "id": request["id"], "code": code, "seconds": seconds, "peak_kb": max(peak_kb, running.peak_kb),
            "fate": running.fate, "process": running.process,
        })  # fmt: skip

    def _watch(self, running: Running) -> tuple[int, int]:
        """Wait for the action's own process; its status and peak memory in KB."""
        sources: list[Any] = [self._channel, self._wake]
        timeout_s = _POLL_S if running.deadline or running.limit_kb else None
        while True:
            ready, _, _ = select.select(sources, [], [], timeout_s)
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            if ended := _reap(running.pid):
                return ended
            if self._channel in ready:
                self._receive()  # A request to stop, or the end of the socket.
                running.fate = running.fate or "stopped"
            elif running.deadline and time.monotonic() > running.deadline:
                running.fate = running.fate or "timeout"
            elif running.overrun():
                running.fate = running.fate or "memory"
            if running.fate:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGKILL)

    def _receive(self) -> Request | None:
        """The next request; None at the end of the socket."""
        while True:
            size = int.from_bytes(self._buffer[:_HEAD], "little") + _HEAD
            if len(self._buffer) >= max(size, _HEAD + 1):
                request: Request = marshal.loads(self._buffer[_HEAD:size])
                self._buffer = self._buffer[size:]
                return request
            try:
                data = self._channel.recv(1 << 16)
            except ConnectionError:
                return None
            if not data:
                return None
            self._buffer += data

    def _answer(self, answer: dict[str, Any]) -> None:
        data = marshal.dumps(answer)
        with contextlib.suppress(ConnectionError):
            self._channel.sendall(len(data).to_bytes(_HEAD, "little") + data)

    def _begin(self, request: Request, group: "cgroup.MemoryGroup | None") -> int:
        if request["sandbox"] and self._spaces is None:
            self._spaces = network_spaces()
        if group:
            return self._fork(request, group)
        log = os.open(request["log"], WRITTEN | os.O_CLOEXEC, 0o644)
        try:
            return self._spawn_confined(request, log) if request["sandbox"] else spawn(request, log)
        finally:
            os.close(log)

    def _spawn_confined(self, request: Request, log: int) -> int:
        """Start from a thread that has walled itself in: what it starts inherits the wall.

        A fork would have to copy the pages that the child touches while it builds the wall: 3 ms.
        """
        found: list[int] = []
        problems: list[OSError] = []

        def start() -> None:
            try:
                self._wall_in(request["sandbox"])
                found.append(spawn(request, log))
            except OSError as error:
                problems.append(error)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        if problems:
            raise problems[0]
        return found[0]

    def _wall_in(self, wall: dict[str, Any]) -> None:
        landlock.confine(
            system=wall["system"],
            devices=wall["devices"],
            read=wall["read"],
            listed=wall["list"],
            write=wall["write"],
            spaces=() if wall["network"] else self._spaces or (),
        )

    def _fork(self, request: Request, group: "cgroup.MemoryGroup") -> int:
        """Start from a child that joins its group first; only a process can."""
        pid = os.fork()
        if pid:
            return pid
        try:
            with contextlib.suppress(OSError):
                group.join()
            os.setsid()
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            log = os.open(request["log"], WRITTEN, 0o644)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(request["cwd"])
            if request["sandbox"]:
                self._wall_in(request["sandbox"])
            become(request, log)
        except OSError as error:
            os.write(2, f"error: cannot start {request['argv'][0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def _remove_groups(self) -> None:
        """Remove the groups of actions that have ended; a process may need a moment to be gone."""
        deadline = time.monotonic() + GRACE_S
        while self._left:
            self._left = [group for group in self._left if not group.close()]
            if not self._left or time.monotonic() > deadline:
                return
            time.sleep(0.002)


def network_spaces() -> list[int]:
    """Namespaces with an empty network for `landlock.confine`; a user namespace is entered at once.

    Only a process of one thread may enter that one.
    """
    spaces = landlock.empty_network()
    while len(spaces) > 1:
        landlock.enter(spaces.pop(0))
    return spaces


def _reap(leader: int) -> tuple[int, int] | None:
    """Reap children until the leader is among them; its status and peak memory, None while it runs."""
    while True:
        pid, status, usage = os.wait3(os.WNOHANG)
        if pid == leader:
            return status, usage.ru_maxrss
        if pid == 0:
            return None


def _end_rest(running: Running, folder: str, *, ended_well: bool) -> None:
    """End what the action has left running.

    A process that still writes to an output of an action which ended well makes the action fail: nobody knows
    what is missing. So does one that cannot be killed.
    """
    writers: list[str] = []

    def look(pid: int) -> None:
        below = os.path.realpath(f"{folder}/out")
        path = writer_below(below, pid)
        if path:
            writers.append(f"{named(pid)} still wrote to out/{os.path.relpath(path, below)}")

    stayed = end_descendants(look if ended_well else None)
    if running.fate:
        return
    if stayed:
        running.fate, running.process = "stayed", f"{named(stayed[0])} cannot be killed"
    elif writers:
        running.fate, running.process = "writing", writers[0]


def _memory_group(request: Request) -> "cgroup.MemoryGroup | None":
    """The group that limits an action's memory; without one its processes are looked at from time to time."""
    limit_mb = request["memory_mb"]
    place = cgroup.find_parent() if limit_mb else None
    if place is None:
        return None
    try:
        return cgroup.MemoryGroup(place, str(request["id"]), limit_mb)
    except OSError:
        return None
