"""Killed at any point, a device behind XRT leaves nothing behind: no process, no folder, no wrong answer."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.device import Device
from stbuild.runtime.devices.opening import open_device
from stbuild.runtime.session import Session
from tests.runtime.xrt import folders_of, need_xrt, processes_of

ROOT = Path(__file__).resolve().parents[2]
HANGS, SLOW = 270, 269
USER = """
import sys
from pathlib import Path
from stbuild.package.bundle import load_bundle
from stbuild.runtime.devices.opening import open_device
from stbuild.runtime.session import Session
bundle = load_bundle(Path(sys.argv[1]))
print("opening", flush=True)
session = Session(open_device(bundle, "xrt:0"), bundle.manifest.model)
print("open", flush=True)
while True:
    session.rewind(0)
    session.prefill([int(sys.argv[2])])
"""
SCALARS = {"n": 1, "pos": 0, "head": 1}


@pytest.fixture
def device(bundle: Bundle) -> Iterator[Device]:
    """A device behind XRT."""
    need_xrt()
    opened = open_device(bundle, "xrt:0", launch_limit_s=30)
    yield opened
    opened.close()
    assert eventually(lambda: not folders_of(os.getpid()))


def eventually(holds: Callable[[], bool], limit_s: float = 10) -> bool:
    """Whether something holds soon."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def processes(folder: Path) -> dict[str, int]:
    """Worker and device model of a folder, by what they are."""
    found = {}
    for process in processes_of(folder.name):
        command = Path(f"/proc/{process}/cmdline").read_bytes()
        found["model" if b"genericpciemodel" in command else "worker"] = process
    return found


def launch(device: Device, token: int) -> None:
    device.buffer("tokens").view(np.int32)[0] = token
    device.sync_to_device("tokens", 4)
    device.start(SCALARS)
    device.wait()


@pytest.mark.parametrize("victim", ["model", "worker"])
@pytest.mark.parametrize("busy", [True, False], ids=["in a launch", "between launches"])
def test_a_killed_process_is_told_and_leaves_nothing(device: Device, victim: str, busy: bool) -> None:
    (folder,) = folders_of(os.getpid())
    members = processes(folder)
    assert members.keys() == {"model", "worker"}
    killer = threading.Timer(0.3 if busy else 0, os.kill, (members[victim], signal.SIGKILL))
    killer.start()
    if not busy:
        time.sleep(0.3)
    begin = time.monotonic()
    with pytest.raises(StbuildError, match=r"xrt:0: the device was lost: .* \(open the device again\)"):
        launch(device, HANGS)
    assert time.monotonic() - begin < 5
    assert eventually(lambda: not processes_of(folder.name)) and not folder.exists()
    with pytest.raises(StbuildError, match=r"xrt:0: the device is closed \(open it again\)"):
        launch(device, 7)


def test_a_launch_that_does_not_return_is_given_up(bundle: Bundle) -> None:
    need_xrt()
    device = open_device(bundle, "xrt:0", launch_limit_s=0.5)
    (folder,) = folders_of(os.getpid())
    with pytest.raises(StbuildError, match=r"the kernel hangs: a launch has not returned after 0.5 s") as e:
        launch(device, HANGS)
    assert "`xbutil reset --device" in str(e.value) and e.value.exit_code == 1
    assert not processes_of(folder.name) and not folder.exists()


def test_a_deadlock_leaves_nothing(device: Device) -> None:
    (folder,) = folders_of(os.getpid())
    with pytest.raises(StbuildError, match="deadlock: a waits to read f"):
        launch(device, 271)
    assert not processes_of(folder.name) and not folder.exists()


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        *(("opening", signal.SIGKILL), ("open", signal.SIGKILL), ("in a launch", signal.SIGKILL)),
        *(("open", signal.SIGTERM), ("in a launch", signal.SIGINT)),
    ],
)
def test_a_killed_user_leaves_nothing(bundle: Bundle, moment: str, number: int) -> None:
    need_xrt()
    token = str(HANGS if moment == "in a launch" else 7)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-P", "-c", USER, str(bundle.path), token]
    user = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True)
    assert user.stdout is not None
    for line in user.stdout:
        if line.strip() == moment.replace("in a launch", "open"):
            break
    assert eventually(lambda: bool(folders_of(user.pid)))
    time.sleep(0.2)
    user.send_signal(number)
    user.wait(timeout=10)
    left = f"stbuild-xrt-{user.pid}-"
    eventually(lambda: not processes_of(left) and not folders_of(user.pid))
    assert (processes_of(left), folders_of(user.pid)) == ([], [])


def test_the_answer_to_an_interrupted_launch_is_not_taken_for_the_next_one(
    device: Device, bundle: Bundle
) -> None:
    session = Session(device, bundle.manifest.model)
    expected = [session.prefill((5, 6)), session.decode(SLOW), session.decode(7)]
    session.rewind(2)
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.1):
        session.decode(SLOW)
    session.rewind(2)
    assert [session.decode(SLOW), session.decode(7)] == expected[1:]
    session.rewind(0)
    assert session.prefill((5, 6)) == expected[0]


def test_an_interrupted_launch_that_hangs_is_not_waited_for_without_end(bundle: Bundle) -> None:
    need_xrt()
    device = open_device(bundle, "xrt:0", launch_limit_s=0.5)
    with pytest.raises(KeyboardInterrupt), interrupt_after(0.1):
        launch(device, HANGS)
    with pytest.raises(StbuildError, match=r"the kernel hangs: a launch has not returned after 0.5 s"):
        device.sync_from_device("logits")
    assert not folders_of(os.getpid())


def test_what_is_asked_during_a_launch_is_answered_behind_it(device: Device) -> None:
    """The sync sees what the launch wrote, and `wait` still belongs to the launch."""
    device.buffer("tokens").view(np.int32)[0] = SLOW
    device.sync_to_device("tokens", 4)
    device.start(SCALARS)
    device.sync_from_device("kv", 4)
    assert device.buffer("kv").view(np.int32)[0] == SLOW
    device.wait()
    launch(device, 7)


@contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """Ctrl-C, so many seconds from now."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_child_of_the_user_does_not_end_the_device(device: Device) -> None:
    launch(device, 7)
    child = os.fork()
    if child == 0:
        device.close()
        os._exit(0)
    os.waitpid(child, 0)
    launch(device, 8)


def test_folders_of_processes_that_are_gone_are_removed(bundle: Bundle) -> None:
    need_xrt()
    gone = subprocess.Popen(["true"])
    gone.wait()
    stale = Path(f"/tmp/stbuild-xrt-{gone.pid}-stale")
    (stale / "vitis").mkdir(parents=True)
    open_device(bundle, "xrt:0").close()
    assert not stale.exists()
