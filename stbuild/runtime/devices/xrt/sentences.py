"""What XRT's errors mean, in one sentence each; what XRT itself printed stands behind it."""

import errno
import re
from dataclasses import dataclass

from stbuild.errors import StbuildError
from stbuild.runtime.devices.fault import DeviceError, DeviceFault
from stbuild.runtime.devices.xrt.install import HOW_TO_INSTALL
from stbuild.runtime.devices.xrt.job import Failure
from stbuild.runtime.devices.xrt.library import MISSING
from stbuild.runtime.devices.xrt.process import Lost

_PRINTED = re.compile(r"^(?:\[XRT\] )?ERROR:? ?(?P<text>.*)$", re.MULTILINE)
_RESET = "`xbutil reset --device BUS:DEVICE.FUNCTION` resets a card"
_BUSY = (errno.EBUSY, errno.EPERM)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a sentence is about: the device's name for a person, and the banks of its buffers."""

    device: str
    banks: dict[str, str]


def explain(failure: Failure, log: str, subject: Subject) -> StbuildError:
    """The sentence for what XRT refused."""
    message, hint = _meaning(failure, subject)
    printed = [found["text"].strip() for found in _PRINTED.finditer(log)]
    if printed:
        message += f"; XRT says: {printed[-1]}"
    return DeviceError(message, fault=_fault(failure), where=subject.device, hint=hint)


def explain_loss(lost: Lost, limit_s: float, subject: Subject) -> StbuildError:
    """The sentence for a worker that is gone or was ended."""
    if lost.closed:
        return StbuildError("the device is closed", where=subject.device, hint="open it again")
    if lost.told:
        return DeviceError(lost.told, fault=DeviceFault.LOST, where=subject.device)
    if lost.late:
        message = f"the kernel hangs: a launch has not returned after {limit_s:g} s, and was given up"
        return DeviceError(message, fault=DeviceFault.HUNG, where=subject.device, hint=_RESET)
    printed = [line for line in lost.log.splitlines() if line.strip()]
    message = "the device was lost: the process that runs XRT has ended"
    if printed:
        message += f"; the last that it printed: {printed[-1].strip()}"
    hint = "open the device again"
    return DeviceError(message, fault=DeviceFault.LOST, where=subject.device, hint=hint)


def _fault(failure: Failure) -> DeviceFault:
    match failure.step, failure.errno:
        case ("load", errno.EBUSY) | ("kernel", errno.EBUSY | errno.EPERM):
            return DeviceFault.BUSY
        case ("load", errno.EDEADLK):
            return DeviceFault.HUNG
        case ("launch", _):
            return DeviceFault.FAILED
    return DeviceFault.REFUSED


def _meaning(failure: Failure, subject: Subject) -> tuple[str, str | None]:
    match failure.step:
        case "load the library":
            return f"XRT cannot be loaded: {failure.what}", HOW_TO_INSTALL
        case _ if failure.step == MISSING:
            return f"this XRT is too old: it has no function {failure.what}", HOW_TO_INSTALL
        case "read":
            return f"the worker cannot read a file of the bundle: {failure.what}", None
        case "open":
            return _of_opening(failure)
        case "load":
            return _of_loading(failure)
        case "kernel":
            return _of_kernel(failure)
        case "allocate":
            bank = subject.banks.get(failure.what, "its memory bank")
            return f"buffer {failure.what!r} does not fit in {bank}", "another process may hold memory of it"
        case "launch":
            return f"the launch failed in state {failure.state}{_reason(failure)}", _RESET
        case _:
            what = f" {failure.what}" if failure.what else ""
            return f"XRT refused to {failure.step}{what}{_reason(failure)}", None


def _of_opening(failure: Failure) -> tuple[str, str | None]:
    if failure.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to open card {failure.what}", "your user must be in the group `render`"
    return f"XRT does not open card {failure.what}{_reason(failure)}", "`stbuild devices` lists what there is"


def _of_loading(failure: Failure) -> tuple[str, str | None]:
    match failure.errno:
        case errno.EOPNOTSUPP:
            return "the xclbin is for another shell than the card's", "build with the card's --platform"
        case errno.EBUSY:
            return "the card is in use: another process has loaded another xclbin", "end it, or wait"
        case errno.EKEYREJECTED:
            return "the card refuses the xclbin, which is not signed", None
        case errno.ETIMEDOUT:
            return "the card's management driver does not answer", "is xclmgmt loaded, or MPD running?"
        case errno.EDEADLK:
            return "the card hangs: a kernel of the last xclbin never ended", _RESET
        case _:
            return f"XRT does not load the xclbin{_reason(failure)}", None


def _of_kernel(failure: Failure) -> tuple[str, str | None]:
    if failure.errno in _BUSY:
        return f"the card is in use: another process has its kernel {failure.what!r}", "end it, or wait"
    return f"XRT does not open the kernel {failure.what!r}{_reason(failure)}", None


def _reason(failure: Failure) -> str:
    known = errno.errorcode.get(failure.errno)
    return f" ({known})" if known else ""
