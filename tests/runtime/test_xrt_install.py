"""Finding XRT, the defects of Debian's packages, and the cards that sysfs shows."""

import os
import subprocess
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.xrt.cards import check_card, find_cards
from stbuild.runtime.devices.xrt.folder import EMCONFIG, card_environment, simulation_environment
from stbuild.runtime.devices.xrt.install import (
    EMULATION,
    LIBRARY,
    Xrt,
    broken_wrappers,
    cured_emulation,
    find_xrt,
    loses_buffers,
)
from tests.runtime.xrt import need_xrt

SHELL = "xilinx_u55c_gen3x16_xdma_base_3"
IN_XCLBIN = "xilinx:u55c:gen3x16_xdma_base:3.0"
WRAPPER = """#!/bin/bash
XRT_PROG=xclbinutil
XRT_LOADER_DIR="`dirname \\"$0\\"`"
if [[ $XRT_LOADER_DIR =~ "/usr" ]]; then
    "${XRT_LOADER_DIR}/unwrapped/${XRT_PROG}" "${XRTWRAP_PROG_ARGS[@]}"
    exit 0
fi
"""


def test_the_version_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libxrt_coreutil.so.2.25.11").touch()
    (tmp_path / "lib" / LIBRARY).symlink_to("libxrt_coreutil.so.2.25.11")
    xrt = find_xrt({"XILINX_XRT": str(tmp_path)})
    assert xrt.version == (2, 25, 11)
    assert str(xrt) == f"XRT 2.25.11 in {tmp_path}/lib"
    assert find_xrt({"LD_LIBRARY_PATH": f"/nowhere:{tmp_path}/lib"}).folder == tmp_path / "lib"


def test_an_emulation_that_loses_buffers_is_cured_by_one_byte() -> None:
    """The real library of Debian 12; another one is left as it is."""
    need_xrt()
    xrt = find_xrt()
    library = (xrt.folder / EMULATION).read_bytes()
    cured = cured_emulation(library)
    different = [i for i, (a, b) in enumerate(zip(library, cured, strict=True)) if a != b]
    assert len(different) == loses_buffers(xrt)
    for at in different:
        listing = subprocess.run(["nm", "-D", xrt.folder / EMULATION], capture_output=True, text=True).stdout
        (start,) = (int(line.split()[0], 16) for line in listing.splitlines() if "alloc_void" in line)
        assert start < at < start + 0x60


def test_the_cure_leads_the_jump_to_the_store() -> None:
    grow = "488bbf70060000 e814e6fdff 4885c0 75e6 488bbb70060000 e8c3e1fdff ebd8"
    code = bytes.fromhex(f"e810e3fdff 48898370060000 4889e8 ebe1 0f1f4000 {grow}")
    jump = code.index(b"\x75\xe6") + 1
    cured = cured_emulation(b"front" + code + b"back")[5:-4]
    assert cured[:jump] + b"\xe6" + cured[jump + 1 :] == code
    assert jump + 1 + int.from_bytes(cured[jump : jump + 1], "little", signed=True) == 5
    assert cured_emulation(cured) == cured


def test_other_libraries_are_not_changed(tmp_path: Path) -> None:
    assert cured_emulation(b"\x7fELF") == b"\x7fELF"
    assert not loses_buffers(Xrt(folder=tmp_path, version=(2, 25)))


def test_wrappers_around_nothing_are_found(tmp_path: Path) -> None:
    (tmp_path / "xclbinutil").write_text(WRAPPER)
    (tmp_path / "xbutil").write_text(WRAPPER)
    (tmp_path / "xbmgmt").write_bytes(b"\x7fELF")
    (tmp_path / "unwrapped").mkdir()
    (tmp_path / "unwrapped/xbutil").touch()
    assert list(broken_wrappers(tmp_path)) == [("xclbinutil", str(tmp_path / "unwrapped/xclbinutil"))]


def make_card(root: Path, address: str, *, vendor: str = "0x10ee", driver: str = "xocl") -> None:
    """A card in a sysfs of our own, with the files that XRT's driver makes."""
    device = root / "sys/bus/pci/devices" / address
    drivers = root / "sys/bus/pci/drivers" / driver
    number = 128 + int(address[5:7], 16)
    for folder in (device / f"drm/renderD{number}", device / "rom.u.1", device / "xmc.u.2", drivers):
        folder.mkdir(parents=True, exist_ok=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "driver").symlink_to(drivers)
    (device / "rom.u.1/VBNV").write_text(f"{SHELL}\n")
    (device / "xmc.u.2/xmc_fpga_temp").write_text("41\n")
    (root / "dev/dri").mkdir(parents=True, exist_ok=True)
    (root / "dev/dri" / f"renderD{number}").touch()


def test_cards_are_those_of_the_user_driver(tmp_path: Path) -> None:
    make_card(tmp_path, "0000:65:00.1")
    make_card(tmp_path, "0000:65:00.0", driver="xclmgmt")
    make_card(tmp_path, "0000:17:00.1")
    make_card(tmp_path, "0000:01:00.0", vendor="0x10de", driver="nvidia")
    cards = find_cards(tmp_path)
    assert [card.address for card in cards] == ["0000:65:00.1", "0000:17:00.1"]
    assert (cards[0].shell, cards[0].temperature_c) == (SHELL, 41)


def test_a_card_by_number_or_address(tmp_path: Path) -> None:
    make_card(tmp_path, "0000:65:00.1")
    for name in ("0", "0000:65:00.1", "65:00.1"):
        check_card(name, IN_XCLBIN, tmp_path)
    for name in ("1", "0000:66:00.1"):
        with pytest.raises(StbuildError, match=rf"no card {name} \(there is xrt:0 at 0000:65:00.1\)"):
            check_card(name, SHELL, tmp_path)


def test_the_environment_of_a_card_has_nothing_of_emulation(tmp_path: Path) -> None:
    """Variables of a user who emulates elsewhere would make XRT emulate here."""
    need_xrt()
    xrt = find_xrt()
    set_elsewhere = {"XCL_EMULATION_MODE": "hw_emu", "XILINX_XRT": "/x", "EMCONFIG_PATH": "/x", "HOME": "/h"}
    environment = card_environment(tmp_path, xrt, set_elsewhere)
    assert environment == {"HOME": "/h", "XILINX_XRT": str(tmp_path / "xrt")}
    assert (tmp_path / "xrt/lib" / LIBRARY).samefile(xrt.library)
    assert (tmp_path / "xrt/lib/xrt/module").is_dir()


def test_the_environment_of_hardware_emulation(tmp_path: Path, bundle: Bundle) -> None:
    need_xrt()
    (bundle.path / EMCONFIG).write_text("{}")
    given = {"XILINX_VITIS": "/tools/Vitis/2022.2", "XCL_EMULATION_MODE": "sw_emu"}
    environment = simulation_environment(tmp_path, find_xrt(), bundle, given)
    assert environment["XCL_EMULATION_MODE"] == "hw_emu"
    assert environment["EMCONFIG_PATH"] == str(bundle.path)
    assert environment["XILINX_VITIS"] == "/tools/Vitis/2022.2"


def test_no_card(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match=r"no card that XRT's driver knows \(is the module xocl loaded\?"):
        check_card("0", SHELL, tmp_path)


def test_a_card_with_another_shell(tmp_path: Path) -> None:
    make_card(tmp_path, "0000:65:00.1")
    sentence = f"the bundle is for the shell other, the card 0000:65:00.1 has {SHELL}"
    with pytest.raises(StbuildError, match=sentence):
        check_card("0", "other", tmp_path)


def test_a_card_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_card(tmp_path, "0000:65:00.1")
    node = tmp_path / "dev/dri/renderD229"
    node.chmod(0)
    if os.geteuid() == 0:  # whom no mode stops
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    sentence = rf"no permission to open {node}, the card 0000:65:00.1 \(your user must be in the group"
    with pytest.raises(StbuildError, match=sentence):
        check_card("0", SHELL, tmp_path)
