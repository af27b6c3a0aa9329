"""Leases of devices on this host: file locks, which the kernel releases when their holder dies."""

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.layout import LEASED, LOCKS, lease_place
from stbuild.package.bundle import Bundle
from stbuild.runtime.devices.fault import DeviceError, DeviceFault
from stbuild.runtime.devices.opening import NATIVE
from stbuild.runtime.devices.xrt.cards import find_cards

_HINT = f"${LOCKS} names another folder, which all who share a device must use"
HARDWARE = "hw"
"""The target whose bundles run on a card."""
_LOOK_S = 0.2


class LeaseError(StbuildError):
    """Locks that cannot be made here, whatever the device."""


@contextmanager
def leased(device: str, wait_s: float, waiting: Callable[[str], None]) -> Iterator[bool]:
    """Have a device alone; False when another process has kept it for `wait_s` seconds.

    `waiting` is told which process has it, before we wait.
    """
    handle = _open(lock_folder() / re.sub(r"[^0-9A-Za-z]", "_", same_device(device)))
    try:
        held = _try(handle)
        if not held:
            waiting(os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown")
        deadline = time.monotonic() + wait_s
        while not held and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            held = _try(handle)
        if held:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield held
    finally:
        os.close(handle)


@contextmanager
def held(device: str) -> Iterator[None]:
    """Have a device alone, or a DeviceError that names the process that has it.

    A device that is leased for what this process was started by is had already.
    """
    if os.environ.get(LEASED) == same_device(device):
        yield
        return
    holders: list[str] = []
    with leased(device, 0, holders.append) as is_held:
        if not is_held:
            raise DeviceError(
                f"the device is in use by process {holders[0]}",
                fault=DeviceFault.BUSY,
                where=device,
                hint="wait until that ends; a night has its device while it measures",
            )
        yield


def card_lease(bundle: Bundle, device: str) -> AbstractContextManager[None]:
    """Have the card alone on which the bundle runs; an emulated one is each process's own."""
    is_card = device != NATIVE and bundle.manifest.target == HARDWARE
    return held(device) if is_card else nullcontext()


@contextmanager
def covering(device: str) -> Iterator[None]:
    """Let what is started meanwhile use a device that this process has leased."""
    os.environ[LEASED] = same_device(device)
    try:
        yield
    finally:
        del os.environ[LEASED]


def same_device(device: str) -> str:
    """One name for a card that has two: by number and by PCIe address."""
    card = device.removeprefix("xrt:")
    cards = find_cards()
    if device == card or not card.isdecimal() or int(card) >= len(cards):
        return next((f"xrt:{each.address}" for each in cards if each.address.endswith(card)), device)
    return f"xrt:{cards[int(card)].address}"


def lock_folder() -> Path:
    """The folder of the locks, which is made; a LeaseError says why it cannot be."""
    folder = lease_place() / "stbuild-devices"
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)
    except FileExistsError:
        pass
    except OSError as error:
        message = f"the folder of device locks {folder} cannot be made: {error.strerror}"
        raise LeaseError(message, hint=_HINT) from None
    return folder


def _open(path: Path) -> int:
    """Without O_CREAT first: Linux lets nobody create over another's file in a shared folder."""
    with suppress(FileNotFoundError), _told(path):
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    with _told(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        os.fchmod(handle, 0o666)
        return handle


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """A lock that cannot be opened, as a sentence."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        message = f"the device lock {path} cannot be opened: {error.strerror}"
        raise LeaseError(message, hint=_HINT) from None


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
