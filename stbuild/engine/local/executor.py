"""Where actions run: the seam at which a cluster can take the place of this machine."""

import marshal
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field

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
    """How a job ended; `fate` is '' when it ended by itself, else 'timeout', 'memory' or 'stopped'."""

    id: int
    code: int
    seconds: float
    peak_kb: int = 0
    fate: str = ""


class Executor(Protocol):
    """Starts jobs and tells of their ends; both calls return soon."""

    def prepare(self) -> None:
        """Get ready in the background: jobs will come."""

    def start(self, job: Job) -> None:
        """Begin a job."""

    def wait(self, timeout_s: float | None) -> list[Outcome]:
        """The jobs that have ended since the last call; waits for one at most `timeout_s`."""

    def stop(self, job: int) -> None:
        """End a job and everything that it started."""

    def close(self) -> None:
        """End all that runs and let go."""


class LocalExecutor:
    """Runs jobs on this machine through a spawner process, which dies with us and takes them along."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._buffer = b""

    def prepare(self) -> None:
        """Let the spawner start while the engine makes its tasks."""
        if self._channel is None:
            self._open()

    def start(self, job: Job) -> None:
        """Begin a job."""
        request = {
            "op": "run",
            "id": job.id,
            "argv": list(job.argv),
            "cwd": job.folder,
            "env": job.env,
            "log": job.log,
            "timeout": job.timeout_s,
            "memory_mb": job.memory_mb,
            "sandbox": job.sandbox,
        }
        self._send(request)

    def stop(self, job: int) -> None:
        """End a job and everything that it started."""
        self._send({"op": "stop", "id": job})

    def wait(self, timeout_s: float | None) -> list[Outcome]:
        """The jobs that have ended since the last call."""
        if self._channel is None:
            return []
        ready, _, _ = select.select([self._channel], [], [], timeout_s)
        if not ready:
            return []
        data = self._channel.recv(1 << 16)
        if not data:
            raise StbuildError(
                "the process that starts the actions was killed",
                hint="what finished is kept; was there too little memory?",
                exit_code=1,
            )
        self._buffer += data
        return self._outcomes()

    def close(self) -> None:
        """End all that runs and let go."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.wait()
        self._channel = self._process = None

    def _outcomes(self) -> list[Outcome]:
        found = []
        while len(self._buffer) >= _HEAD:
            size = int.from_bytes(self._buffer[:_HEAD], "little")
            if len(self._buffer) < _HEAD + size:
                break
            found.append(Outcome(**marshal.loads(self._buffer[_HEAD : _HEAD + size])))
            self._buffer = self._buffer[_HEAD + size :]
        return found

    def _send(self, request: dict[str, object]) -> None:
        self.prepare()
        assert self._channel is not None
        data = marshal.dumps(request)
        self._channel.sendall(len(data).to_bytes(_HEAD, "little") + data)

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        script = Path(__file__).with_name("spawner.py")
        argv = [sys.executable, "-I", "-S", str(script), str(theirs.fileno())]
        env = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        self._process = subprocess.Popen(
            argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=env, start_new_session=True
        )
        theirs.close()
        self._channel = ours
