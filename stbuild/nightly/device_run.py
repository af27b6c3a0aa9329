"""Starts the process that measures, watches that it lives, and ends it with all that it started."""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from stbuild import layout
from stbuild.nightly.outcome import Fault
from stbuild.nightly.runs import Broken, Request, Runs, read_answer, to_json

OPEN_LIMIT_S = 900.0
"""For opening and loading; 16 GB of weights at 0.1 GB/s take 160 s."""
GRACE_S = 2.0
"""For what lies between two launches: a prompt is made, results are compared."""


def run_on_device(request: Request, folder: Path, log: Path, code: Path | None = None) -> Runs | Broken:
    """Measure in a process of its own, whose output goes to `log`; in `folder` lie request and answer.

    `code` is a folder with another stbuild, which measures instead of this one.
    """
    asked, answered = folder / "request.json", folder / "answer.json"
    asked.write_text(to_json(request))
    answered.unlink(missing_ok=True)
    ours, theirs = os.pipe()
    try:
        with log.open("ab") as stream:
            process = _start(asked, answered, theirs, stream.fileno(), code)
        os.close(theirs)
        theirs = -1
        try:
            late = _watch(ours, request.launch_limit_s)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    finally:
        for handle in (ours, theirs):
            if handle >= 0:
                os.close(handle)
    if late:
        return Broken(fault=late[0].value, message=late[1], described=request.device)
    if answered.is_file():
        return read_answer(answered.read_text())
    return _without_answer(process.returncode, log, request.device)


def with_package(folder: Path) -> dict[str, str]:
    """The environment in which Python finds the stbuild that lies in `folder`."""
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def _start(
    asked: Path, answered: Path, channel: int, output: int, code: Path | None
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        (sys.executable, "-P", "-m", "stbuild.nightly.worker", str(asked), str(answered), str(channel)),
        env=with_package(code or layout.package_root().parent),
        pass_fds=(channel,),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _watch(channel: int, launch_limit_s: float) -> tuple[Fault, str] | None:
    """Wait until the process lets go of the channel; what is late is told."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    launches = -1
    while True:
        limit_s = launch_limit_s + GRACE_S if launches >= 0 else OPEN_LIMIT_S
        if not poll.poll(limit_s * 1000):
            if launches < 0:
                return Fault.REFUSED, f"the device did not open in {limit_s:g} s"
            return Fault.HUNG, f"launch {launches + 1} has not returned after {launch_limit_s:g} s"
        told = os.read(channel, 4096)
        if not told:
            return None
        launches += len(told)


def _without_answer(code: int, log: Path, device: str) -> Broken:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    last = f"; the last that it printed: {lines[-1].strip()}" if lines else ""
    if code < 0:
        message = f"the process that runs the device was ended by {signal.Signals(-code).name}{last}"
        return Broken(fault=Fault.LOST.value, message=message, described=device)
    message = f"the process that measures ended with code {code}{last}"
    return Broken(fault="", message=message, described=device)
