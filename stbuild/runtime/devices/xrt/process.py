"""The worker as the user's process sees it: started, asked, watched, ended with all that it started."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path

from stbuild import layout
from stbuild.runtime.devices.xrt import job as messages
from stbuild.runtime.devices.xrt import worker
from stbuild.runtime.devices.xrt.channel import Receiver
from stbuild.runtime.devices.xrt.folder import LOG
from stbuild.runtime.devices.xrt.job import Failure, Job

TOLD_BY_MODEL = "stbuild-model: "
"""How a line of the log begins in which the device model says why it cannot go on."""
NO_MODEL = "FATAL ERROR : child process did not launch"
"""What XRT prints, and then waits for minutes, when it cannot start the device model."""
LOOK_S = 0.1
"""How often the log is looked at while an answer is awaited."""
CLOSE_S = 5.0
GRACE_S = 1.0
"""For what a launch takes on its way to the worker and back."""

_PROGRAM = f"""import sys
sys.path.insert(0, sys.argv[1])
from {worker.__name__} import main
main(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
"""


class Lost(Exception):
    """The worker is gone, was ended since no answer came in time, or was closed before.

    `told` is what the device model said, `log` all that was printed.
    """

    def __init__(self, *, told: str = "", log: str = "", late: bool = False, closed: bool = False) -> None:
        super().__init__(told)
        self.told = told
        self.log = log
        self.late = late
        self.closed = closed


class Refused(Exception):
    """XRT refused something."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.step)
        self.failure = failure


class Worker:
    """A worker that opens the device of `job`; it gets the memory file with the buffers' host copies."""

    def __init__(self, job: Job, environment: dict[str, str], memory: int) -> None:
        self._folder = Path(job.folder)
        job_file = self._folder / "job.json"
        job_file.write_text(messages.job_text(job))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = (sys.executable, "-I", "-S", "-c", _PROGRAM, str(layout.package_root().parent), str(job_file))
        with theirs, (self._folder / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                (*argv, str(theirs.fileno()), str(memory)),
                env=environment, cwd=self._folder, pass_fds=(theirs.fileno(), memory),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._channel = ours
        self._receiver = Receiver(ours)
        self._owner = os.getpid()
        self._launch_limit_s = job.limit_ms / 1000 + GRACE_S
        self._asked, self._answered = 0, -1
        self._end = weakref.finalize(self, _end, os.getpid(), self._process, ours, self._folder)

    @property
    def log(self) -> str:
        """What XRT and the device model have printed so far."""
        with suppress(OSError):
            return (self._folder / LOG).read_text(errors="replace")
        return ""

    def tell(self, request: bytes) -> None:
        """Send a request that has no answer."""
        self._settle(self._launch_limit_s)
        self._send(request)

    def ask(self, request: bytes) -> None:
        """Send a request whose answer `wait` awaits."""
        self._settle(self._launch_limit_s)
        self._asked += 1
        self._send(request)

    def wait(self, limit_s: float) -> None:
        """Await the answer to the last request, or, before any, that the device is open.

        Refused or Lost when it is not a good one.
        """
        while self._answered != self._asked:
            self._answered, text = messages.read_number(self._next_answer(limit_s))
            failure = messages.read_answer(text)
            if failure is not None:
                raise Refused(failure)

    def close(self) -> None:
        """Let the worker close the device, and end it and all that it started."""
        if os.getpid() != self._owner or not self._end.alive:
            return
        try:
            with suppress(Lost, Refused):
                self._settle(CLOSE_S)
                self._send_and_wait(messages.CLOSE, CLOSE_S)
        finally:
            self._end()

    def _settle(self, limit_s: float) -> None:
        """If an answer is still to come, as after Ctrl-C: wait until the worker is idle again."""
        if not self._end.alive:
            raise Lost(closed=True)
        if self._answered != self._asked:
            self._send_and_wait(messages.NOTHING, limit_s)

    def _send_and_wait(self, request: bytes, limit_s: float) -> None:
        self._asked += 1
        self._send(request)
        self.wait(limit_s)

    def _send(self, request: bytes) -> None:
        try:
            self._channel.send(messages.numbered(self._asked, request))
        except OSError:
            raise self._lost() from None

    def _next_answer(self, limit_s: float) -> bytes:
        try:
            answer = self._receiver.receive_soon()
            if answer is None:
                self._sleep(limit_s)
                answer = self._receiver.receive()
        except OSError:
            answer = b""
        if not answer:
            raise self._lost()
        return answer

    def _sleep(self, limit_s: float) -> None:
        """Until an answer is there; Lost when it is late, or when the log says that none will come."""
        deadline = time.monotonic() + limit_s
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        while not poll.poll(LOOK_S * 1000):
            late = time.monotonic() > deadline
            if late or self._told():
                raise self._lost(late=late)

    def _told(self) -> str:
        for line in self.log.splitlines():
            if line.startswith(TOLD_BY_MODEL):
                return line.removeprefix(TOLD_BY_MODEL)
            if line.startswith(NO_MODEL):
                return "XRT cannot start the device model; is the cache on a file system without exec?"
        return ""

    def _lost(self, *, late: bool = False) -> Lost:
        """End everything; say what is known of why."""
        told, log = self._told(), self.log
        self._end()
        return Lost(told=told, log=log, late=late)


def _end(owner: int, process: "subprocess.Popen[bytes]", channel: socket.socket, folder: Path) -> None:
    """End the worker's process group and remove its folder; not from a child of the user's process."""
    if os.getpid() != owner:
        return
    channel.close()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shutil.rmtree(folder, ignore_errors=True)
