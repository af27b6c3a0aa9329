"""What a device can do wrong, for those who go on without it."""

from enum import Enum

from stbuild.errors import StbuildError


class DeviceFault(Enum):
    """What happened to a device."""

    HUNG = "hung kernel"
    FAILED = "failed launch"
    LOST = "lost device"
    BUSY = "device busy"
    REFUSED = "device cannot be opened"


class DeviceError(StbuildError):
    """A device that did something wrong; `fault` says what."""

    def __init__(self, message: str, *, fault: DeviceFault, where: str, hint: str | None = None) -> None:
        super().__init__(message, where=where, hint=hint, exit_code=1)
        self.fault = fault
