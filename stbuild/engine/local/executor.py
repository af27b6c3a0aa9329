"""Where actions run: the seam at which a cluster can take the place of this machine."""

import contextlib
import marshal
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

from stbuild.engine.local.spawner import OPEN, SANDBOXED
from stbuild.errors import StbuildError

_HEAD = 4


class Job(Struct, frozen=True, kw_only=True):
    """A command made ready to run in `folder`, which holds its inputs; what it prints goes to `log`."""

    id: int
    argv: tuple[str, ...]
    folder: str
    env: dict[str, str]
    log: str
    timeout_s: float | None = None
    memory_mb: int = 0
    sandbox: dict[str, object] = field(default_factory=dict)


class Outcome(Struct, frozen=True, kw_only=True):
    """How a job ended; nothing that it started is left but what `fate` tells.

    `fate` is '' when it ended by itself, 'timeout', 'memory' or 'stopped' when it was killed. It is 'writing'
    when a `process` that it left behind still wrote to an output, 'stayed' when one cannot be killed.
    """

    id: int
    code: int
    seconds: float
    peak_kb: int = 0
    fate: str = ""
    process: str = ""


class Executor(Protocol):
    """Starts jobs and tells of their ends; both calls return soon."""

    def prepare(self) -> None:
        """Get ready in the background: jobs will come."""

    def start(self, job: Job) -> None:
        """Start a job."""

    def wait(self, timeout_s: float | None) -> list[Outcome]:
        """The jobs that have ended since the last call; waits for one at most `timeout_s`."""

    def stop(self, job: int) -> None:
        """End a job and everything that it started."""

    def close(self) -> None:
        """Kill all that runs, and close the sockets."""


class LocalExecutor:
    """Runs jobs on this machine through keepers, one for each job that runs at the same time.

    The spawner forks them; they, and all that they run, die with us.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._spawner: socket.socket | None = None
        self._ears = select.poll()
        self._idle: list[_Line] = []
        self._busy: dict[int, _Line] = {}
        """By the number of the handle."""

    def prepare(self) -> None:
        """Let the spawner start while the engine makes its tasks."""
        if self._spawner is None:
            self._open()

    def start(self, job: Job) -> None:
        """Start a job."""
        self.prepare()
        line = self._idle.pop() if self._idle else self._connect(sandboxed=bool(job.sandbox))
        line.job = job.id
        self._busy[line.channel.fileno()] = line
        line.send({
            "op": "run",
            "id": job.id,
            "argv": list(job.argv),
            "cwd": job.folder,
            "env": job.env,
            "log": job.log,
            "timeout": job.timeout_s,
            "memory_mb": job.memory_mb,
            "sandbox": job.sandbox,
        })  # fmt: skip

    def stop(self, job: int) -> None:
        """End a job and everything that it started."""
        for line in self._busy.values():
            if line.job == job:
                line.send({"op": "stop", "id": job})

    def wait(self, timeout_s: float | None) -> list[Outcome]:
        """The jobs that have ended since the last call."""
        if self._spawner is None:
            return []
        found: list[Outcome] = []
        for handle, _ in self._ears.poll(None if timeout_s is None else timeout_s * 1000):
            line = self._busy.get(handle)
            if line is None:  # The spawner and keepers without a job have nothing to say.
                raise _killed()
            outcome = line.receive()
            if outcome is not None:
                self._idle.append(self._busy.pop(handle))
                found.append(outcome)
        return found

    def close(self) -> None:
        """Kill all that runs, and close the sockets."""
        for line in (*self._idle, *self._busy.values()):
            line.channel.close()
        self._idle.clear()
        self._busy.clear()
        if self._spawner is not None:
            self._spawner.close()
        if self._process is not None:
            self._process.wait()
        self._spawner = self._process = None
        self._ears = select.poll()

    def _connect(self, *, sandboxed: bool) -> "_Line":
        assert self._spawner is not None
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._spawner, [SANDBOXED if sandboxed else OPEN], [theirs.fileno()])
        except ConnectionError:
            raise _killed() from None
        finally:
            theirs.close()
        self._ears.register(ours, select.POLLIN)
        return _Line(ours)

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        script = Path(__file__).with_name("spawner.py")
        argv = [sys.executable, "-I", "-S", str(script), str(theirs.fileno())]
        env = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        self._process = subprocess.Popen(
            argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=env, start_new_session=True
        )
        theirs.close()
        self._spawner = ours
        self._ears.register(ours, select.POLLIN)


class _Line:
    """The socket to a keeper."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.job = 0
        self._buffer = b""

    def send(self, request: dict[str, object]) -> None:
        """Send a request; a keeper that has died is found when its answer is awaited."""
        data = marshal.dumps(request)
        with contextlib.suppress(ConnectionError):
            self.channel.sendall(len(data).to_bytes(_HEAD, "little") + data)

    def receive(self) -> Outcome | None:
        """Read what is there; the outcome once it is whole."""
        try:
            data = self.channel.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            raise _killed()
        self._buffer += data
        size = int.from_bytes(self._buffer[:_HEAD], "little")
        if len(self._buffer) < _HEAD + size:
            return None
        outcome = Outcome(**marshal.loads(self._buffer[_HEAD : _HEAD + size]))
        self._buffer = b""
        return outcome


def _killed() -> StbuildError:
    return StbuildError(
        "the process that starts the actions was killed",
        hint="what finished is kept; was there too little memory?",
        exit_code=1,
    )
