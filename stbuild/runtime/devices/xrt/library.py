"""XRT's C interface by ctypes: a device, a kernel, its buffers and launches; what fails is an XrtError.

Only the worker uses it. Calls let go of the interpreter's lock, so that its watch goes on.
"""

import ctypes
import os
from collections.abc import Callable
from typing import Any

from stbuild.runtime.devices.xrt.job import Failure

TO_DEVICE, FROM_DEVICE = 0, 1
"""`xclBOSyncDirection`."""
COMPLETED = 4
"""`ERT_CMD_STATE_COMPLETED`."""
MISSING = "missing function"
"""The step of a Failure that names a function which the library does not have."""

_HANDLE, _INT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
_FLAGS, _GROUP, _TEXT = ctypes.c_uint64, ctypes.c_uint32, ctypes.c_char_p
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...] | None]] = {
    "xrtDeviceOpen": (_HANDLE, (ctypes.c_uint,)),
    "xrtDeviceOpenByBDF": (_HANDLE, (_TEXT,)),
    "xrtDeviceClose": (_INT, (_HANDLE,)),
    "xrtDeviceLoadXclbinFile": (_INT, (_HANDLE, _TEXT)),
    "xrtDeviceGetXclbinUUID": (_INT, (_HANDLE, _HANDLE)),
    "xrtPLKernelOpenExclusive": (_HANDLE, (_HANDLE, _HANDLE, _TEXT)),
    "xrtKernelArgGroupId": (_INT, (_HANDLE, _INT)),
    "xrtKernelClose": (_INT, (_HANDLE,)),
    "xrtBOAlloc": (_HANDLE, (_HANDLE, _SIZE, _FLAGS, _GROUP)),
    "xrtBOAllocUserPtr": (_HANDLE, (_HANDLE, _HANDLE, _SIZE, _FLAGS, _GROUP)),
    "xrtBOMap": (_HANDLE, (_HANDLE,)),
    "xrtBOSync": (_INT, (_HANDLE, _INT, _SIZE, _SIZE)),
    "xrtBOFree": (_INT, (_HANDLE,)),
    "xrtRunOpen": (_HANDLE, (_HANDLE,)),
    "xrtRunSetArg": (_INT, None),  # variadic: the arguments carry their types
    "xrtRunStart": (_INT, (_HANDLE,)),
    "xrtRunWaitFor": (_INT, (_HANDLE, ctypes.c_uint)),
    "xrtRunClose": (_INT, (_HANDLE,)),
}


class XrtError(Exception):
    """A call that XRT refused."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.step)
        self.failure = failure


class Library:
    """`libxrt_coreutil` with its functions typed."""

    def __init__(self, path: str) -> None:
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_GLOBAL, use_errno=True)
        except OSError as error:
            raise XrtError(Failure(step="load the library", what=str(error))) from error
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name, None)
            if function is None:
                raise XrtError(Failure(step=MISSING, what=name))
            function.restype = result
            if arguments is not None:
                function.argtypes = arguments
            self._functions[name] = function

    def handle(self, name: str, *arguments: Any, step: str, what: str = "") -> int:
        """Call a function that returns a handle."""
        ctypes.set_errno(0)
        value = self._functions[name](*arguments)
        if not value:
            raise XrtError(Failure(step=step, what=what, errno=abs(ctypes.get_errno())))
        return int(value)

    def status(self, name: str, *arguments: Any, step: str, what: str = "") -> None:
        """Call a function that returns 0, or an error number or -1."""
        ctypes.set_errno(0)
        status = int(self._functions[name](*arguments))
        if status != 0:
            number = abs(status) if abs(status) > 1 else abs(ctypes.get_errno())
            raise XrtError(Failure(step=step, what=what, errno=number))

    def number(self, name: str, *arguments: Any) -> int:
        """Call a function that returns a number."""
        ctypes.set_errno(0)
        return int(self._functions[name](*arguments))


class Buffer:
    """A buffer object of XRT, in the memory bank of the kernel's argument."""

    def __init__(self, library: Library, handle: int, name: str, size: int) -> None:
        self._library = library
        self.handle = handle
        self.name = name
        self.bytes = size

    def sync(self, direction: int, size: int, offset: int = 0) -> None:
        """Carry bytes between XRT's host side of the buffer and the device."""
        arguments = (self.handle, direction, size, offset)
        self._library.status("xrtBOSync", *arguments, step="sync", what=self.name)

    def map(self) -> memoryview:
        """XRT's host side."""
        at = self._library.handle("xrtBOMap", self.handle, step="map", what=self.name)
        return memoryview((ctypes.c_char * self.bytes).from_address(at)).cast("B")

    def free(self) -> None:
        """Give it back."""
        self._library.status("xrtBOFree", self.handle, step="free", what=self.name)


class Kernel:
    """One kernel of one xclbin on one card, which no other process has, with one launch at a time."""

    def __init__(self, library: Library, card: str, xclbin: str, name: str) -> None:
        self._library = library
        opened = ("xrtDeviceOpen", int(card)) if card.isdecimal() else ("xrtDeviceOpenByBDF", card.encode())
        self._device = library.handle(*opened, step="open", what=card)
        path = xclbin.encode()
        library.status("xrtDeviceLoadXclbinFile", self._device, path, step="load", what=xclbin)
        uuid = ctypes.create_string_buffer(16)
        library.status("xrtDeviceGetXclbinUUID", self._device, uuid, step="load", what=xclbin)
        arguments = (self._device, uuid, name.encode())
        self._kernel = library.handle("xrtPLKernelOpenExclusive", *arguments, step="kernel", what=name)
        self._run = library.handle("xrtRunOpen", self._kernel, step="kernel", what=name)

    def allocate(self, argument: int, name: str, size: int) -> Buffer:
        """A buffer with a host side of XRT's."""
        arguments = (self._device, size, 0, self._group(argument))
        handle = self._library.handle("xrtBOAlloc", *arguments, step="allocate", what=name)
        return Buffer(self._library, handle, name, size)

    def adopt(self, argument: int, name: str, address: int, size: int) -> Buffer:
        """A buffer whose host side is the memory at `address`."""
        arguments = (self._device, address, size, 0, self._group(argument))
        handle = self._library.handle("xrtBOAllocUserPtr", *arguments, step="allocate", what=name)
        return Buffer(self._library, handle, name, size)

    def point(self, argument: int, buffer: Buffer) -> None:
        """Pass a buffer in all launches from now on."""
        self._set(argument, ctypes.c_void_p(buffer.handle))

    def pass_scalar(self, argument: int, value: int, size: int) -> None:
        """Pass a scalar of 4 or 8 bytes in all launches from now on."""
        self._set(argument, ctypes.c_uint64(value) if size == 8 else ctypes.c_uint32(value))

    def start(self) -> None:
        """Start a launch."""
        self._library.status("xrtRunStart", self._run, step="start")

    def wait(self, limit_ms: int) -> None:
        """Wait for the launch, where XRT honours that not longer than `limit_ms`."""
        state = self._library.number("xrtRunWaitFor", self._run, limit_ms)
        if state != COMPLETED:
            raise XrtError(Failure(step="launch", errno=abs(ctypes.get_errno()), state=state))

    def close(self) -> None:
        """Close launch, kernel and card, in this order."""
        self._library.status("xrtRunClose", self._run, step="close")
        self._library.status("xrtKernelClose", self._kernel, step="close")
        self._library.status("xrtDeviceClose", self._device, step="close")

    def _group(self, argument: int) -> int:
        return self._library.number("xrtKernelArgGroupId", self._kernel, argument)

    def _set(self, argument: int, value: Any) -> None:
        arguments = (ctypes.c_void_p(self._run), ctypes.c_int(argument), value)
        self._library.status("xrtRunSetArg", *arguments, step="take argument", what=str(argument))
