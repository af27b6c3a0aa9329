"""`stbuild devices` and what `doctor` says of XRT."""

import json
from pathlib import Path

from stbuild.cli.devices import devices
from tests.conftest import WorkspaceFolder
from tests.runtime.test_xrt_install import SHELL, make_card
from tests.runtime.xrt import need_xrt


def test_devices_are_listed_by_the_names_that_run_takes(workspace: WorkspaceFolder) -> None:
    need_xrt()
    listed = json.loads(workspace.ok("devices", "--json").out)
    assert [each["name"] for each in listed[:2]] == ["native", "xrt:0"]
    assert "the emulated card, through XRT 2." in listed[1]["text"]
    assert workspace.ok("devices").out.startswith("native      the emulated card")


def test_cards_are_listed_with_shell_and_temperature(tmp_path: Path) -> None:
    need_xrt()
    make_card(tmp_path, "0000:65:00.1")
    listed = [(each.name, each.text) for each in devices(tmp_path)]
    assert listed[-1] == ("xrt:0", f"a card at 0000:65:00.1, {SHELL}, 41 °C")


def test_a_machine_without_xrt(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    workspace.env["XILINX_XRT"] = str(tmp_path)
    native, xrt = workspace.ok("devices").out.splitlines()[:2]
    assert native.startswith("native ") and f"none: there is no XRT in {tmp_path}" in xrt
    assert f"there is no XRT in {tmp_path}" in workspace.ok("doctor").out


def test_doctor_names_xrt_and_the_defect_of_debians(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    """The library's own code, in a file of ours."""
    code = bytes.fromhex(
        "e810e3fdff488983700600004889e8ebe10f1f4000488bbf70060000e814e6fdff4885c075e6488bbb70060000"
    )
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libxrt_coreutil.so.2").touch()
    (tmp_path / "lib/libxrt_swemu.so.2").write_bytes(code)
    workspace.env["XILINX_XRT"] = str(tmp_path)
    said = workspace.ok("doctor").out
    assert f"XRT of unknown version in {tmp_path}/lib" in said
    assert "memory that it has freed (CpuemShim::alloc_void): stbuild runs a cured copy of it" in said
