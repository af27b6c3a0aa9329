"""What can happen to a build: each trial harms a workspace, builds, and compares everything."""

import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

from stbuild.engine.store.gc import sweep
from stbuild.engine.store.store import Store
from tests.conftest import WorkspaceFolder
from tests.engine.rig import PATIENCE_S, Rig, finished_events, wait_for_silence


def strike(rig: Rig, space: WorkspaceFolder, number: signal.Signals) -> None:
    """Kill a build at a random time; what it had finished must not run again."""
    rig.edit()
    before = len(rig.runs())
    process = space.start("//...", *rig.flags)
    time.sleep(rig.random.uniform(0.05, 1.2))
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE_S)
    ours = "/stbuild/cli/" in err or "/stbuild/engine/" in err  # Else Python itself was still starting.
    assert "Traceback" not in err or (not ours and err.endswith("KeyboardInterrupt\n")), err
    wait_for_silence(space)
    check_nothing_lost(rig, space, before)


def check_nothing_lost(rig: Rig, space: WorkspaceFolder, before: int) -> None:
    """Build; what the build before had told to be finished must not run again with the same inputs."""
    finished = {event["label"] for event in finished_events(space)}
    first = rig.runs()[before:]
    rig.check(space)
    again = [line for line in rig.runs()[before + len(first) :] if line in first]
    lost = [line for line in again if f"//p:{line.split()[0]}" in finished]
    assert not lost, f"finished, but ran again: {lost}"


def trial_kill(rig: Rig, space: WorkspaceFolder) -> None:
    strike(rig, space, signal.SIGKILL)


def trial_terminate(rig: Rig, space: WorkspaceFolder) -> None:
    strike(rig, space, signal.SIGTERM)


def trial_interrupt(rig: Rig, space: WorkspaceFolder) -> None:
    strike(rig, space, signal.SIGINT)


def trial_kill_spawner_too(rig: Rig, space: WorkspaceFolder) -> None:
    """Kill the engine and the process that was to clean up after it."""
    rig.edit()
    process = space.start("//...", *rig.flags)
    time.sleep(rig.random.uniform(0.2, 1.2))
    below = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    process.kill()
    for pid in below.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)
    rig.check(space)


def trial_two_at_once(rig: Rig, space: WorkspaceFolder) -> None:
    """Two builds in one workspace, or those of two users on one cache."""
    rig.edit()
    before = len(rig.runs())
    both = [rig.random.choice(rig.spaces) for _ in range(2)]
    processes = [each.start("//...", *rig.flags) for each in both]
    for process in processes:
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
    made = rig.runs()[before:]
    assert len(made) == len(set(made)), "two builds ran the same action"
    for each in rig.spaces:
        rig.check(each)


def trial_disk_full(rig: Rig, space: WorkspaceFolder) -> None:
    """Leave a few kilobytes on the disk for a build, then make room again; only where we may fill one."""
    if not rig.small:
        return
    rig.edit()
    before = len(rig.runs())
    status = os.statvfs(rig.disk)
    free = status.f_bavail * status.f_frsize
    filler = rig.disk / "filler"
    filler.write_bytes(bytes(max(0, free - rig.random.randrange(0, 150_000, 4096))))
    process = space.start("//...", *rig.flags)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    filler.unlink()
    check_nothing_lost(rig, space, before)


def trial_file_limit(rig: Rig, space: WorkspaceFolder) -> None:
    """No file may grow beyond a size, as with a quota: the engine's own writes stop half-way."""
    rig.edit()
    before = len(rig.runs())
    process = space.start("//...", *rig.flags)
    limit = rig.random.choice([0, 100, 1000, 5000, 20_000])
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    _, err = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in err, err
    check_nothing_lost(rig, space, before)


def trial_sweep(rig: Rig, space: WorkspaceFolder) -> None:
    """Empty the cache again and again while a build runs; it must not even notice."""
    rig.edit()
    process = space.start("//...", *rig.flags)
    while process.poll() is None:
        sweep(space.cache, Store(space.cache, print), max_bytes=0, max_age_s=None, young_s=1.0)
        time.sleep(0.02)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    rig.check(space)


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
    """Put the workspace's records, or all of it and the cache, back to a copy from the middle of a build."""
    rig.edit()
    before = len(rig.runs())
    whole = rig.random.random() < 0.5
    parts = [space.root / "stbuild-out", space.cache] if whole else [space.root / "stbuild-out/.stbuild"]
    process = space.start("//...", *rig.flags)
    time.sleep(rig.random.uniform(0.2, 1.2))
    for part in parts:
        subprocess.run(["cp", "-a", part, f"{part}.copy"], check=False, capture_output=True)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    wait_for_silence(space)
    for part in parts:
        shutil.rmtree(part)
        Path(f"{part}.copy").rename(part)
    state = space.root / "stbuild-out/.stbuild"
    for path in [*state.glob("state.*"), *state.glob("parts.bin"), *state.glob("noop/*")]:
        if rig.random.random() < 0.3:
            path.write_bytes(path.read_bytes()[: rig.random.randrange(1 + path.stat().st_size)])
    check_nothing_lost(rig, space, before)


def trial_edit_while_read(rig: Rig, space: WorkspaceFolder) -> None:
    rig.edit()
    process = space.start("//...", *rig.flags)
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
    trial_two_at_once,
    trial_disk_full,
    trial_file_limit,
    trial_sweep,
    trial_tamper,
    trial_lose_blobs,
    trial_power_cut,
    trial_power_cut,
    trial_edit_while_read,
    trial_clock,
)
