"""The one place where a device is opened: by a bundle and a name."""

import re
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.device import Device
from stbuild.runtime.devices.native import NativeDevice

NATIVE = "native"
XRT = re.compile(r"xrt:(?P<card>\d{1,3}|(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])")
"""A card by its number, as XRT counts, or by its PCIe address."""


def open_device(
    bundle: Bundle, name: str = NATIVE, *, launch_limit_s: float | None = None, model: Path | None = None
) -> Device:
    """The device `name` with `bundle` loaded; a StbuildError says why it cannot be had.

    `native` is the emulated card in this process. `xrt:0` goes through the Xilinx Runtime: to a card, or,
    for a bundle built for `sw_emu`, to an emulated card that is made for this device alone. Through XRT, a
    launch that takes longer than `launch_limit_s` seconds is given up.
    `model` is the program of the device model; without it, that of the cache, or it is compiled.
    """
    check_name(name)
    if name == NATIVE:
        return NativeDevice(bundle)
    from stbuild.runtime.devices.xrt.device import XrtDevice

    return XrtDevice(bundle, name.removeprefix("xrt:"), launch_limit_s=launch_limit_s, model=model)


def check_name(name: str) -> None:
    """StbuildError unless `name` can name a device."""
    if name != NATIVE and not XRT.fullmatch(name):
        raise StbuildError(
            f"there is no device {name!r}",
            hint="`native`, `xrt:0` (a card's number) or `xrt:0000:65:00.1` (its PCIe address)",
        )
