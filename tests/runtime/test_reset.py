"""A card is reset by xbutil, here a mock on PATH; an emulated one is new each time."""

from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.runtime.devices.reset import reset_device
from stbuild.runtime.devices.xrt.cards import CardSensors

ADDRESS = "0000:65:00.1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sysfs with one card at 41 °C that takes 33.5 W."""
    device = tmp_path / "sys/bus/pci/devices" / ADDRESS
    driver = tmp_path / "drivers/xocl"
    sensors = device / "xmc.u.1"
    for folder in (driver, sensors):
        folder.mkdir(parents=True)
    (device / "driver").symlink_to(driver)
    (device / "vendor").write_text("0x10ee\n")
    (sensors / "xmc_fpga_temp").write_text("41\n")
    (sensors / "xmc_power").write_text("33500000\n")
    return tmp_path


def mock_xbutil(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """An xbutil that writes its arguments down and then does `body`."""
    said = folder / "said"
    program = folder / "bin/xbutil"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {said}\n{body}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return said


@pytest.mark.parametrize("name", ["xrt:0", f"xrt:{ADDRESS}"])
def test_a_card_is_reset_by_its_address(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    said = mock_xbutil(root, monkeypatch, f"echo 'Successfully reset Device[{ADDRESS}]'")
    assert reset_device(name, root) == f"reset {ADDRESS}"
    assert said.read_text() == f"reset --device {ADDRESS} --force\n"


def test_what_goes_wrong_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StbuildError, match="there is no card 3"):
        reset_device("xrt:3", root)
    mock_xbutil(root, monkeypatch, "echo 'ERROR: operation not permitted' >&2; exit 1")
    with pytest.raises(StbuildError, match=r"failed: ERROR: operation not permitted"):
        reset_device("xrt:0", root)
    refused = "echo 'ERROR: Operation not permitted' >&2; echo 'Reset failed on Device[0000:65:00.1]'; exit 0"
    (root / "bin/xbutil").write_text(f"#!/bin/sh\n{refused}\n")
    with pytest.raises(StbuildError, match=r"failed: ERROR: Operation not permitted"):
        reset_device("xrt:0", root)
    (root / "bin/xbutil").write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(StbuildError, match=r"failed: it ended with 0 and said nothing"):
        reset_device("xrt:0", root)
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(StbuildError, match="`xbutil`, which is not on PATH"):
        reset_device("xrt:0", root)


def test_an_emulated_card_needs_none(tmp_path: Path) -> None:
    assert reset_device("native", tmp_path) == "an emulated card is new each time"
    assert reset_device("xrt:0", tmp_path) == "an emulated card is new each time"


def test_the_sensors_of_a_card(root: Path) -> None:
    reading = CardSensors("0", root).read()
    assert (reading.temperature_c, reading.power_w) == (41, 33.5)
