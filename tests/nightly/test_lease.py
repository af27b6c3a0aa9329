"""A device belongs to one process at a time, and to nobody when that one dies."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.nightly.lease import LOCKS, leased
from tests.conftest import CHECKOUT

HOLDER = (
    "from stbuild.nightly.lease import leased\n"
    "with leased('xrt:0', 0, print) as held:\n    print(held, flush=True)\n    input()\n"
)


def test_a_lease_ends_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCKS, str(tmp_path))
    waits: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        began = time.monotonic()
        with leased("xrt:0", 0.3, waits.append) as held:
            assert not held
        assert 0.3 <= time.monotonic() - began < 5
        assert waits == [str(holder.pid)]
        with leased("xrt:1", 0, waits.append) as held:
            assert held
        holder.kill()
        holder.wait()
    with leased("xrt:0", 0, waits.append) as held:
        assert held


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(LOCKS, str(tmp_path / "file"))
    with pytest.raises(StbuildError, match=r"cannot be made: Not a directory"), leased("native", 0, print):
        pass
