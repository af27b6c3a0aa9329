"""Whatever happens to a build, no finished action is lost and no wrong output is taken for good.

Each trial does something harmful to a workspace, then builds and compares every output with what its sources
demand. STBUILD_CRASH_TRIALS is the number of trials; STBUILD_CRASH_RIGS says over how many pairs of
workspaces they are spread, with seeds from STBUILD_CRASH_SEED on; half are without a sandbox. A thousand
trials, four at a time:

    STBUILD_CRASH_TRIALS=1000 STBUILD_CRASH_RIGS=4 python -m pytest -n 4 tests/engine/test_crash.py

The trials of a failed test are in what it printed; `-s` shows them as they come.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import intruders, trials
from tests.engine.rig import Rig, wait_for_silence

TRIALS = int(os.environ.get("STBUILD_CRASH_TRIALS", "32"))
RIGS = int(os.environ.get("STBUILD_CRASH_RIGS", "1"))
SEED = int(os.environ.get("STBUILD_CRASH_SEED", "1"))
_DISK = "size=64m,mode=0777"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A file system that can be filled, where we may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", _DISK, "tmpfs", str(place)], capture_output=True, check=False
    )
    yield None if mounted.returncode else place
    if not mounted.returncode:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def ran() -> Iterator[Path]:
    """A file that actions may write also in a sandbox."""
    handle, name = tempfile.mkstemp(prefix="stbuild-ran-", dir="/dev/shm")
    os.close(handle)
    yield Path(name)
    Path(name).unlink()


@pytest.mark.parametrize("sandbox", ["off", "auto"])
@pytest.mark.parametrize("seed", range(SEED, SEED + RIGS))
def test_random_disasters(
    seed: int, sandbox: str, small_disk: Path | None, ran: Path, tmp_path: Path
) -> None:
    rig = Rig(small_disk or tmp_path, ran, seed, small=small_disk is not None, sandbox=sandbox)
    for space in rig.spaces:
        rig.check(space)
    for number in range(TRIALS // RIGS // 2):
        kind, space = rig.random.choice((*trials.KINDS, *intruders.KINDS)), rig.random.choice(rig.spaces)
        print(f"seed {seed}, trial {number}: {kind.__name__} in {space.root.name}", flush=True)
        kind(rig, space)
        for each in rig.spaces:
            wait_for_silence(each)
