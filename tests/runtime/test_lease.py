"""A device belongs to one process at a time, and to nobody when that one dies."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.layout import LEASED, LOCKS
from stbuild.package.bundle import Manifest, load_bundle
from stbuild.runtime.commands import run
from stbuild.runtime.devices.fault import DeviceError, DeviceFault
from stbuild.runtime.devices.lease import LeaseError, card_lease, covering, leased
from tests.conftest import CHECKOUT

HOLDER = (
    "from stbuild.runtime.devices.lease import leased\n"
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
    with (
        pytest.raises(LeaseError, match=r"cannot be made: Not a directory") as told,
        leased("native", 0, print),
    ):
        pass
    assert told.value.exit_code == 2


def test_a_lock_that_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LOCKS, str(tmp_path))
    (tmp_path / "stbuild-devices/native").mkdir(parents=True)
    with (
        pytest.raises(LeaseError, match=r"native cannot be opened: Is a directory"),
        leased("native", 0, print),
    ):
        pass


def test_a_card_that_a_night_has_is_busy_for_a_run_and_free_after_it(
    make_bundle: Callable[..., Path], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCKS, str(tmp_path))
    folder = make_bundle(replace(manifest, target="hw"))
    argv = ["--tokens", "1 2 3", "--max-tokens", "1", "--device", "xrt:0"]
    with leased("xrt:0", 0, print) as held:
        assert held
        with pytest.raises(
            DeviceError, match=rf"xrt:0: the device is in use by process {os.getpid()} "
        ) as told:
            run(folder, argv)
    assert (told.value.fault, told.value.exit_code) == (DeviceFault.BUSY, 1)
    monkeypatch.setenv("XILINX_XRT", str(tmp_path / "nowhere"))
    with pytest.raises(StbuildError, match="there is no XRT in"):  # the lease is had, and given back
        run(folder, argv)
    with leased("xrt:0", 0, print) as held:
        assert held


def test_a_lease_covers_what_its_holder_starts_and_no_emulated_card(
    make_bundle: Callable[..., Path], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCKS, str(tmp_path))
    card = load_bundle(make_bundle(replace(manifest, target="hw")))
    with leased("xrt:0", 0, print):
        with pytest.raises(DeviceError, match="in use by process"), card_lease(card, "xrt:0"):
            pass
        with covering("xrt:0"), card_lease(card, "xrt:0"):
            assert os.environ[LEASED] == "xrt:0"
        with covering("xrt:1"), pytest.raises(DeviceError), card_lease(card, "xrt:0"):
            pass
        assert LEASED not in os.environ
        with card_lease(card, "native"):
            pass
    with card_lease(card, "xrt:0"), leased("xrt:0", 0, print) as second:
        assert not second


def test_an_emulated_card_behind_xrt_is_each_process_own(
    make_bundle: Callable[..., Path], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LOCKS, str(tmp_path))
    emulated = load_bundle(make_bundle(manifest))
    with leased("xrt:0", 0, print), card_lease(emulated, "xrt:0"):
        assert emulated.manifest.target == "sw_emu"
