"""The cards of this machine, as the kernel's sysfs shows them to anybody: address, shell, sensors.

XRT's own telemetry is C++ only. Names of files: `src/runtime_src/core/pcie/linux/device_linux.cpp` of
github.com/Xilinx/XRT at 963c58ee; `xmc_power` is mV times mA, so microwatts, by `xmc_get_power` in
`core/pcie/driver/linux/xocl/subdev/xmc.c` there. Untried, for want of a card.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.runtime.devices.device import Reading

VENDOR = "0x10ee"
USER_DRIVERS = ("xocl", "xocl_v2")
"""Drivers of the function that programs use; the other function of a card belongs to `xclmgmt`."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card that XRT's driver has taken; what it does not tell is None."""

    address: str
    shell: str | None
    temperature_c: int | None
    node: Path | None
    power_w: float | None = None


class CardSensors:
    """The sensors of a card, by its number or PCIe address."""

    def __init__(self, name: str, root: Path = Path("/")) -> None:
        self._name = name
        self._root = root

    def read(self) -> Reading:
        """What sysfs says now."""
        card = _chosen(self._name, find_cards(self._root))
        return Reading(temperature_c=card.temperature_c, power_w=card.power_w)


def find_cards(root: Path = Path("/")) -> tuple[Card, ...]:
    """All cards in the order of their addresses, the highest first, as XRT counts them."""
    devices = sorted((root / "sys/bus/pci/devices").glob("*"), reverse=True)
    return tuple(_card(device, root) for device in devices if _is_card(device))


def check_card(name: str, shell: str, root: Path = Path("/")) -> None:
    """Refuse a card, by number or address, that is not there, is not ours to open, or has another shell."""
    cards = find_cards(root)
    if not cards:
        raise StbuildError(
            "this machine has no card that XRT's driver knows",
            hint="is the module xocl loaded? PROJECT:xclbin builds without one, --target sw_emu runs so",
        )
    card = _chosen(name, cards)
    if card.node is not None and not os.access(card.node, os.R_OK | os.W_OK):
        raise StbuildError(
            f"no permission to open {card.node}, the card {card.address}",
            hint="your user must be in the group `render`; log in again after `usermod -aG render USER`",
        )
    if card.shell is not None and _spelled(card.shell) != _spelled(shell):
        raise StbuildError(
            f"the bundle is for the shell {shell}, the card {card.address} has {card.shell}",
            hint="build with the --platform of the card",
        )


def _chosen(name: str, cards: tuple[Card, ...]) -> Card:
    if name.isdecimal() and int(name) < len(cards):
        return cards[int(name)]
    for card in cards:
        if card.address.endswith(name) and not name.isdecimal():
            return card
    listed = ", ".join(f"xrt:{number} at {card.address}" for number, card in enumerate(cards))
    raise StbuildError(f"there is no card {name}", hint=f"there is {listed}")


def _spelled(shell: str) -> str:
    """One spelling for `xilinx:u55c:gen3x16_xdma_base:3.0` and `xilinx_u55c_gen3x16_xdma_base_3`."""
    return shell.replace(":", "_").removesuffix(".0")


def _is_card(device: Path) -> bool:
    driver = device / "driver"
    return _text(device / "vendor") == VENDOR and driver.exists() and driver.resolve().name in USER_DRIVERS


def _card(device: Path, root: Path) -> Card:
    temperature = _first(device, "xmc.u.*/xmc_fpga_temp")
    power = _first(device, "xmc.u.*/xmc_power")  # in microwatts
    nodes = sorted(each.name for each in (device / "drm").glob("renderD*"))
    return Card(
        address=device.name,
        shell=_first(device, "rom.u.*/VBNV"),
        temperature_c=int(temperature) if temperature and temperature.isdecimal() else None,
        node=root / "dev/dri" / nodes[0] if nodes else None,
        power_w=int(power) / 1e6 if power and power.isdecimal() else None,
    )


def _first(device: Path, pattern: str) -> str | None:
    return next(_texts(device.glob(pattern)), None)


def _texts(paths: Iterator[Path]) -> Iterator[str]:
    for path in sorted(paths):
        text = _text(path)
        if text:
            yield text


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
