"""The process that starts actions and outlives nothing: when the engine is gone, so is everything it started.

It runs as a script without site-packages, is the subreaper of all actions, reads requests from one socket and
answers with outcomes. Its end of file means that the engine died; then every descendant is killed.
"""

import contextlib
import ctypes
import marshal
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import cgroup  # type: ignore[import-not-found]  # by path: it lies beside this script
    import landlock  # type: ignore[import-not-found]
    from processes import GRACE_S, kill_all, kill_tree, resident_kb  # type: ignore[import-not-found]
    from starting import SIGNALS, WRITTEN, become, spawn  # type: ignore[import-not-found]
else:
    from stbuild.engine.local import cgroup, landlock
    from stbuild.engine.local.processes import GRACE_S, kill_all, kill_tree, resident_kb
    from stbuild.engine.local.starting import SIGNALS, WRITTEN, become, spawn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HEAD = 4
_POLL_S = 0.25


class Running:
    """One action's process."""

    def __init__(self, request: dict[str, Any], pid: int, group: "cgroup.MemoryGroup | None") -> None:
        self.request = request
        self.pid = pid
        self.group = group
        self.started = time.monotonic()
        self.peak_kb = 0
        self.fate = ""
        limit = request.get("timeout")
        self.deadline = self.started + limit if limit else None


class Spawner:
    """The loop: requests in, outcomes out, children reaped."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = b""
        self._answers = bytearray()
        self._running: dict[int, Running] = {}
        self._spaces: list[int] | None = None
        self._left: list[cgroup.MemoryGroup] = []
        """Groups of actions that have ended, in which a process has not gone yet."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._wake, out = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(out, False)
        signal.set_wakeup_fd(out, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in SIGNALS[:3]:
            signal.signal(number, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until the engine closes its end or dies."""
        while True:
            watched = any(each.deadline or each.request.get("memory_mb") for each in self._running.values())
            sources = [self._channel.fileno(), self._wake]
            ready, _, _ = select.select(sources, [], [], _POLL_S if watched else None)
            if sources[0] in ready and not self._receive():
                return
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            self._reap()
            if watched:
                self._enforce()
            self._send()

    def let_go(self) -> None:
        """Remove the groups of all actions, whose processes have been killed."""
        groups = self._left + [running.group for running in self._running.values() if running.group]
        end = time.monotonic() + GRACE_S
        while (groups := [group for group in groups if not group.close()]) and time.monotonic() < end:
            time.sleep(0.005)

    def _receive(self) -> bool:
        try:
            data = self._channel.recv(1 << 16)
        except ConnectionError:
            return False
        self._buffer += data
        while len(self._buffer) >= _HEAD:
            size = int.from_bytes(self._buffer[:_HEAD], "little")
            if len(self._buffer) < _HEAD + size:
                break
            request = marshal.loads(self._buffer[_HEAD : _HEAD + size])
            self._buffer = self._buffer[_HEAD + size :]
            self._handle(request)
        return bool(data)

    def _handle(self, request: dict[str, Any]) -> None:
        if request["op"] == "run":
            self._start(request)
            return
        for running in list(self._running.values()):
            if running.request["id"] == request["id"]:
                running.fate = "stopped"
                kill_tree(running.pid)

    def _start(self, request: dict[str, Any]) -> None:
        group = _memory_group(request)
        try:
            pid = self._begin(request, group)
        except OSError as error:
            if group:
                self._left.append(group)
            with contextlib.suppress(OSError), open(request["log"], "w") as stream:
                stream.write(f"error: cannot start {request['argv'][0]}: {error.strerror}\n")
            self._answer({"id": request["id"], "code": 127, "seconds": 0.0, "peak_kb": 0, "fate": ""})
            return
        self._running[pid] = Running(request, pid, group)

    def _begin(self, request: dict[str, Any], group: "cgroup.MemoryGroup | None") -> int:
        if request["sandbox"] and self._spaces is None:
            self._spaces = landlock.empty_network()
            while len(self._spaces) > 1:  # A user namespace, which only a process of one thread may enter.
                landlock.enter(self._spaces.pop(0))
        if group:
            return self._fork(request, group)
        log = os.open(request["log"], WRITTEN | os.O_CLOEXEC, 0o644)
        try:
            return self._spawn_confined(request, log) if request["sandbox"] else spawn(request, log)
        finally:
            os.close(log)

    def _spawn_confined(self, request: dict[str, Any], log: int) -> int:
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
            read=wall["read"],
            listed=wall["list"],
            write=wall["write"],
            spaces=() if wall["network"] else self._spaces or (),
        )

    def _fork(self, request: dict[str, Any], group: "cgroup.MemoryGroup") -> int:
        """Start from a child that joins its group first; only a process can."""
        pid = os.fork()
        if pid:
            return pid
        try:
            with contextlib.suppress(OSError):
                group.join()
            os.setsid()
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
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

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait3(os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            running = self._running.pop(pid, None)
            if running is not None:
                self._finish(running, status, usage.ru_maxrss)

    def _finish(self, running: Running, status: int, peak_kb: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
        if running.group:
            if running.group.overrun() and not running.fate:
                running.fate = "memory"
                peak_kb = max(peak_kb, running.group.peak_kb())
            self._left.append(running.group)
        self._left = [group for group in self._left if not group.close()]
        self._answer({
            "id": running.request["id"],
            "code": os.waitstatus_to_exitcode(status),
            "seconds": time.monotonic() - running.started,
            "peak_kb": max(peak_kb, running.peak_kb),
            "fate": running.fate,
        })  # fmt: skip

    def _answer(self, answer: dict[str, Any]) -> None:
        data = marshal.dumps(answer)
        self._answers += len(data).to_bytes(_HEAD, "little") + data

    def _send(self) -> None:
        if self._answers:
            with contextlib.suppress(ConnectionError):
                self._channel.sendall(self._answers)
            self._answers.clear()

    def _enforce(self) -> None:
        now = time.monotonic()
        for running in self._running.values():
            if running.fate:
                continue
            if running.deadline and now > running.deadline:
                running.fate = "timeout"
                kill_tree(running.pid)
            limit = running.request.get("memory_mb")
            if limit:
                running.peak_kb = max(running.peak_kb, resident_kb(running.pid))
                if running.peak_kb > limit * 1024 or (running.group and running.group.overrun()):
                    running.fate = "memory"
                    running.peak_kb = max(running.peak_kb, running.group.peak_kb() if running.group else 0)
                    kill_tree(running.pid)


def _memory_group(request: dict[str, Any]) -> "cgroup.MemoryGroup | None":
    """The group that limits an action's memory; without one its processes are looked at from time to time."""
    limit_mb = request["memory_mb"]
    place = cgroup.find_place() if limit_mb else None
    if place is None:
        return None
    try:
        return cgroup.MemoryGroup(place, str(request["id"]), limit_mb)
    except OSError:
        return None


def main() -> None:
    """Serve on the socket whose number is the one argument."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    spawner = Spawner(channel)
    try:
        spawner.run()
    finally:
        kill_all()
        spawner.let_go()


if __name__ == "__main__":
    main()
