"""The emulated card behind `open_device`, with the fault that STBUILD_TEST_FAULT names.

The first STBUILD_TEST_TIMES openings have it, those after them have not.
"""

import errno
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stbuild.nightly.worktree import PREFIX
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.device import Reading
from stbuild.runtime.devices.fault import DeviceError, DeviceFault
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import LOGITS

SLOW_S = 0.05
LATER = 12
"""The launch in which a fault that comes in the midst comes."""


class FaultyDevice(NativeDevice):
    """A native device that goes wrong."""

    def __init__(self, bundle: Bundle, fault: str) -> None:
        super().__init__(bundle)
        self._fault = fault
        self._launches = 0
        self._is_old = PREFIX in str(bundle.path)  # built in a worktree

    @property
    def sensors(self) -> Any:
        """Those of a card that is too hot, or of a card."""
        return self if self._fault in ("thermal", "sensors") else None

    def read(self) -> Reading:
        """What the sensors say."""
        return Reading(temperature_c=99.5 if self._fault == "thermal" else 41.0, power_w=33.0)

    def start(self, scalars: Mapping[str, int]) -> None:
        """Start, unless the fault is one of starting."""
        super().start(scalars)
        self._launches += 1

    def wait(self) -> None:
        """Run, with the fault."""
        super().wait()
        match self._fault:
            case "slow":
                time.sleep(SLOW_S)
            case "slow commit" if not self._is_old:
                time.sleep(SLOW_S)
            case "hung" if self._launches == LATER:
                time.sleep(3600)
            case "reported hung" if self._launches == LATER:
                raise DeviceError("the kernel hangs", fault=DeviceFault.HUNG, where="card")
            case "killed" if self._launches == LATER:
                os.kill(os.getpid(), signal.SIGKILL)
            case "lost" if self._launches == LATER:
                raise DeviceError("the device was lost", fault=DeviceFault.LOST, where="card")
            case "disk full" if self._launches == LATER:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/run/x")

    def sync_from_device(self, name: str, size: int | None = None) -> None:
        """Sync, and turn one bit of the logits of one token."""
        super().sync_from_device(name, size)
        if name == LOGITS and self._fault == "wrong bits" and self._launches == 2:
            self._host[LOGITS][5] ^= 1


def open_faulty(bundle: Bundle, name: str, *, launch_limit_s: float | None = None) -> FaultyDevice:
    """The device, which may be in use by somebody else."""
    count = Path(os.environ["STBUILD_TEST_COUNT"])
    opened = int(count.read_text()) if count.exists() else 0
    count.write_text(str(opened + 1))
    fault = os.environ["STBUILD_TEST_FAULT"] if opened < int(os.environ["STBUILD_TEST_TIMES"]) else ""
    if fault == "busy":
        raise DeviceError("the card is in use", fault=DeviceFault.BUSY, where=name)
    return FaultyDevice(bundle, fault)
