"""What an action started has ended before its outputs are taken, wherever it is and however a build ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import WorkspaceFolder
from tests.engine.test_build import wait_for

KINDS = ["auto", "staged", "off"]

WAYS = {
    "background": "{} &",
    "nohup": "nohup {} > /dev/null 2>&1 &",
    "session": "setsid -f {}",
    "two forks": "(setsid {} &)",
    "no environment, elsewhere": "(cd /; exec env -i setsid -f {})",
    "own subreaper": "setsid -f python3 -c 'import ctypes, os; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); "
    'os.fork() or os.execvp("sh", ["sh", "-c", "{} &"]); os.execvp("sleep", ["sleep", "{seconds}"])\'',
}


def running(seconds: str) -> bool:
    """Whether a process `sleep seconds` is there."""
    found = subprocess.run(["pgrep", "-f", f"^sleep {seconds}"], capture_output=True, check=False)
    return found.returncode == 0


def script(workspace: WorkspaceFolder, name: str, way: str, command: str, seconds: str) -> str:
    """Write a script that starts a command in one of the ways; the target's `srcs`."""
    started = way.replace("{seconds}", seconds).replace("{}", command)
    workspace.write(f"p/{name}.sh", f"HERE=$PWD\n{started}\n")
    return f"srcs: [{name}.sh]"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_nothing_outlives_its_action(workspace: WorkspaceFolder, way: str, kind: str) -> None:
    seconds = f"6{os.getpid()}.25"
    srcs = script(workspace, "start", WAYS[way], f"sleep {seconds}", seconds)
    workspace.build_file("p", f"genrule: {{name: g, {srcs}, outs: [g], cmd: 'sh $<; echo done > $@'}}")
    workspace.ok("p:g", f"--sandbox={kind}")
    assert workspace.output("p/g").read_text() == "done\n"
    assert not running(seconds)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["background", "session", "two forks", "no environment, elsewhere"])
def test_one_that_still_writes_to_an_output_is_named(workspace: WorkspaceFolder, way: str, kind: str) -> None:
    place = "$HERE/out/g"
    late = f'bash -c "exec >> {place}; echo ready > {place}2; sleep 0.4; echo late"'
    srcs = script(workspace, "start", WAYS[way], late, "0")
    command = "echo first > $@; bash $<; while [ ! -s $@2 ]; do sleep 0.01; done"
    workspace.build_file(
        "p",
        f"genrule: {{name: g, {srcs}, outs: [g], cmd: '{command}'}}",
        "genrule: {name: same, outs: [same], cmd: 'echo first > $@'}",
    )
    workspace.ok("p:same", f"--sandbox={kind}")
    told = workspace.fails("p:g", f"--sandbox={kind}", code=1)
    assert "//p:g: Genrule cannot be trusted: when it ended, " in told
    assert ") still wrote to out/g" in told
    assert "let the command wait for what it starts in the background" in told
    time.sleep(0.5)
    assert workspace.output("p/same").read_text() == "first\n"


def test_one_that_has_an_output_mapped_is_named(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "p/map.py",
        "import mmap, time\n"
        "stream = open('out/g', 'r+b')\n"
        "view = mmap.mmap(stream.fileno(), 0)\n"
        "stream.close()\n"
        "open('tmp/ready', 'w').close()\n"
        "time.sleep(60)\n",
    )
    command = "echo first > $@; setsid -f python3 $<; while [ ! -e tmp/ready ]; do sleep 0.01; done"
    workspace.build_file("p", f"genrule: {{name: g, srcs: [map.py], outs: [g], cmd: '{command}'}}")
    assert ") still wrote to out/g" in workspace.fails("p:g", code=1)


@pytest.mark.parametrize("kind", ["auto", "off"])
def test_two_actions_at_once_end_their_own_only(workspace: WorkspaceFolder, kind: str) -> None:
    quick = "genrule: {{name: q{0}, outs: [q{0}], cmd: '(setsid sleep 77.{0} &) ; echo {0} > $@'}}"
    slow = '(setsid bash -c "sleep 0.6; echo kept > $$PWD/$@" &) ; while [ ! -s $@ ]; do sleep 0.02; done'
    workspace.build_file(
        "p",
        *(quick.format(number) for number in range(8)),
        f"genrule: {{name: slow, outs: [slow], cmd: '{slow}; sleep 0.1', timeout_s: 20}}",
    )
    workspace.ok("p:all", "-j", "3", f"--sandbox={kind}")
    assert workspace.output("p/slow").read_text() == "kept\n"
    assert not running("77")


@pytest.mark.parametrize("end", ["time-out", "memory", "interrupt", "kill", "keeper"])
def test_nothing_is_left_however_a_build_ends(workspace: WorkspaceFolder, end: str) -> None:
    seconds = f"7{os.getpid()}.25"
    mark = workspace.root / "mark"
    start = f"(cd /; exec env -i setsid -f sleep {seconds}); touch {mark}; sleep {seconds}"
    limits = {"time-out": ", timeout_s: 0.5", "memory": ", memory_mb: 500"}.get(end, "")
    workspace.build_file("p", f"genrule: {{name: g, outs: [g], cmd: '{start}'{limits}}}")
    build = workspace.start("p:g", "--sandbox=off")
    wait_for(mark)
    match end:
        case "interrupt" | "memory":
            build.send_signal(signal.SIGINT)
        case "kill":
            build.kill()
        case "keeper":
            (spawner,) = children(build.pid)
            (keeper,) = children(spawner)
            os.kill(keeper, signal.SIGKILL)
    build.communicate(timeout=30)
    deadline = time.monotonic() + 5
    while running(seconds) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not running(seconds)


def children(pid: int) -> list[int]:
    """The children of a process."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
