"""Whatever happens to a build, no finished action is lost and no wrong output is taken for good.

Each trial does something harmful to a workspace, then builds and compares every output with what its sources
demand. The number of trials is STBUILD_CRASH_TRIALS.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import WorkspaceFolder

TRIALS = int(os.environ.get("STBUILD_CRASH_TRIALS", "30"))
SEED = int(os.environ.get("STBUILD_CRASH_SEED", "1"))
SOURCES = 3
LAYERS = 3
FLAGS = ("--sandbox=off", "--plain")


class Rig:
    """Two workspaces on one cache, with the same graph; every action writes down that it ran."""

    def __init__(self, make: Callable[[str], WorkspaceFolder], seed: int) -> None:
        self.random = random.Random(seed)
        self.spaces = [make("one"), make("two")]
        self.ran = self.spaces[0].root.parent / "ran"
        self.ran.touch()
        self.sources = {f"s{i}.txt": "first" for i in range(SOURCES)}
        for space in self.spaces:
            space.build_file("p", *self.rules())
            self.write(space)

    def rules(self) -> list[str]:
        """Layers of genrules, each of which reads two files of the layer before, slowly."""
        rules = []
        for layer in range(LAYERS):
            for i in range(SOURCES):
                before = [
                    f"s{j % SOURCES}.txt" if layer == 0 else f"':n{layer - 1}_{j % SOURCES}'"
                    for j in (i, i + 1)
                ]
                command = (
                    "cat $(SRCS) > out/tmp.txt; "
                    f"echo n{layer}_{i} $$(sha256sum < out/tmp.txt) >> {self.ran}; "
                    f"head -c 9 out/tmp.txt > $@; sleep 0.0{(i + layer) % 4}; sha256sum < out/tmp.txt >> $@"
                )
                srcs = ", ".join(before)
                name = f"n{layer}_{i}"
                rules.append(
                    f'genrule: {{name: {name}, srcs: [{srcs}], outs: [{name}.txt], cmd: "{command}"}}'
                )
        return rules

    def write(self, space: WorkspaceFolder) -> None:
        """Bring the sources of a workspace up to date."""
        for name, text in self.sources.items():
            path = space.root / "p" / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def expected(self) -> dict[str, str]:
        """What each output must hold."""
        made = dict(self.sources)
        for layer in range(LAYERS):
            for i in range(SOURCES):
                names = [
                    f"s{j % SOURCES}.txt" if layer == 0 else f"n{layer - 1}_{j % SOURCES}.txt"
                    for j in (i, i + 1)
                ]
                text = "".join(made[name] for name in names)
                made[f"n{layer}_{i}.txt"] = text[:9] + hashlib.sha256(text.encode()).hexdigest() + "  -\n"
        return {name: text for name, text in made.items() if name.startswith("n")}

    def check(self, space: WorkspaceFolder) -> None:
        """Build, and compare everything."""
        space.ok("//...", *FLAGS, timeout_s=120)
        for name, text in self.expected().items():
            path = space.output(f"p/{name}")
            assert path.read_text() == text, name
            assert path.stat().st_mode & 0o222 == 0

    def edit(self) -> None:
        """Change a source in both workspaces, sometimes back to an old content."""
        name = self.random.choice(sorted(self.sources))
        self.sources[name] = self.random.choice(["first", "other", f"new {self.random.random()}"])
        for space in self.spaces:
            self.write(space)

    def runs(self) -> list[str]:
        """What ran, in order."""
        return self.ran.read_text().splitlines()


def strike(rig: Rig, space: WorkspaceFolder, number: signal.Signals) -> None:
    """Kill a build at a random time; what it had finished must not run again, and nothing stays behind."""
    rig.edit()
    before = len(rig.runs())
    process = space.start("//...", *FLAGS)
    time.sleep(rig.random.uniform(0.05, 0.9))
    process.send_signal(number)
    process.communicate(timeout=30)
    finished = {event["label"] for event in finished_events(space)}
    wait_for_silence(space)
    first = rig.runs()[before:]
    rig.check(space)
    again = [line for line in rig.runs()[before + len(first) :] if line in first]
    lost = [line for line in again if f"//p:{line.split()[0]}" in finished]
    assert not lost, f"finished, but ran again: {lost}"


def finished_events(space: WorkspaceFolder) -> list[dict[str, str]]:
    """The events of finished actions; the last line may be torn."""
    found = []
    log = space.root / "stbuild-out/.stbuild/events.ndjson"
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "action_finished":
            found.append(event)
    return found


def wait_for_silence(space: WorkspaceFolder) -> None:
    """Fail when a process of a dead build lives on in its folders."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        alive = [
            each.name
            for each in Path("/proc").iterdir()
            if each.name.isdigit() and lives_in(each, space.root)
        ]
        if not alive:
            return
        time.sleep(0.05)
    pytest.fail(f"orphans: {alive}")


def lives_in(process: Path, root: Path) -> bool:
    """Whether a process has its current folder in the workspace."""
    try:
        return (process / "cwd").readlink().is_relative_to(root / "stbuild-out")
    except OSError:
        return False


def trial_kill(rig: Rig, space: WorkspaceFolder) -> None:
    strike(rig, space, signal.SIGKILL)


def trial_terminate(rig: Rig, space: WorkspaceFolder) -> None:
    strike(rig, space, signal.SIGTERM)


def trial_interrupt(rig: Rig, space: WorkspaceFolder) -> None:
    strike(rig, space, signal.SIGINT)


def trial_kill_spawner_too(rig: Rig, space: WorkspaceFolder) -> None:
    rig.edit()
    process = space.start("//...", *FLAGS)
    time.sleep(rig.random.uniform(0.2, 0.8))
    below = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    process.kill()
    for pid in below.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    process.communicate(timeout=30)
    rig.check(space)
    wait_for_silence(space)


def trial_two_at_once(rig: Rig, space: WorkspaceFolder) -> None:
    rig.edit()
    before = len(rig.runs())
    both = [rig.random.choice(rig.spaces) for _ in range(2)]
    processes = [each.start("//...", *FLAGS) for each in both]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    made = rig.runs()[before:]
    assert len(made) == len(set(made)), "two builds ran the same action"
    for each in rig.spaces:
        rig.check(each)


def trial_tamper(rig: Rig, space: WorkspaceFolder) -> None:
    for path in rig.random.sample(sorted(space.output("p").glob("*.txt")), 2):
        match rig.random.randrange(4):
            case 0:
                path.unlink()
            case 1:
                path.chmod(0o644)
                path.write_text("by hand")
            case 2:
                status = path.stat()
                path.chmod(0o644)
                path.write_bytes(bytes(status.st_size))
                os.utime(
                    path, ns=(status.st_atime_ns, status.st_mtime_ns + rig.random.choice([-1, 1, 10**9]))
                )
            case 3:
                path.unlink()
                path.mkdir()
    rig.check(space)


def trial_lose_blobs(rig: Rig, space: WorkspaceFolder) -> None:
    blobs = sorted(space.cache.glob("cas/*/*")) + sorted(space.cache.glob("results/*"))
    for path in rig.random.sample(blobs, min(4, len(blobs))):
        match rig.random.randrange(3):
            case 0:
                path.unlink()
            case 1:
                path.chmod(0o644)
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            case 2:
                path.chmod(0o644)
                path.write_text("rubbish")
    if rig.random.random() < 0.5:
        space.ok("clean")
    rig.edit()
    rig.check(space)


def trial_power_cut(rig: Rig, space: WorkspaceFolder) -> None:
    """Put the state back to a copy taken in the middle of a build, and tear the end of one file."""
    rig.edit()
    state, copy = space.root / "stbuild-out/.stbuild", space.root.parent / "copy"
    process = space.start("//...", *FLAGS)
    time.sleep(rig.random.uniform(0.2, 0.8))
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-a", state, copy], check=False, capture_output=True)
    process.kill()
    process.communicate(timeout=30)
    wait_for_silence(space)
    shutil.rmtree(state)
    copy.rename(state)
    for path in [*state.glob("state.*"), *state.glob("parts.bin")]:
        if rig.random.random() < 0.3:
            path.write_bytes(path.read_bytes()[: rig.random.randrange(1 + path.stat().st_size)])
    rig.check(space)


def trial_edit_while_read(rig: Rig, space: WorkspaceFolder) -> None:
    rig.edit()
    process = space.start("//...", *FLAGS)
    time.sleep(rig.random.uniform(0.1, 0.6))
    rig.edit()
    process.communicate(timeout=60)
    rig.check(space)


def trial_clock(rig: Rig, space: WorkspaceFolder) -> None:
    """Sources with times of the past and of the future, and contents that change without a newer time."""
    rig.edit()
    for name in rig.sources:
        when = time.time() + rig.random.choice([-1e9, -5, 5, 1e6])
        os.utime(space.root / "p" / name, (when, when))
    rig.check(space)
    name = rig.random.choice(sorted(rig.sources))
    path = space.root / "p" / name
    status = path.stat()
    rig.sources[name] = rig.sources[name][::-1]
    path.write_text(rig.sources[name])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    rig.check(space)
    for each in rig.spaces:
        rig.write(each)


KINDS = (
    trial_kill,
    trial_kill,
    trial_terminate,
    trial_interrupt,
    trial_kill_spawner_too,
    trial_two_at_once,
    trial_tamper,
    trial_lose_blobs,
    trial_power_cut,
    trial_edit_while_read,
    trial_clock,
)


def test_random_disasters(make_workspace: Callable[[str], WorkspaceFolder]) -> None:
    rig = Rig(make_workspace, SEED)
    for space in rig.spaces:
        rig.check(space)
    for number in range(TRIALS):
        kind = rig.random.choice(KINDS)
        space = rig.random.choice(rig.spaces)
        try:
            kind(rig, space)
        except BaseException:
            print(f"trial {number} of seed {SEED}: {kind.__name__} in {space.root.name}")
            raise
