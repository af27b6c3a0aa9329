"""The emulated card: the bundle's kernel image in this process, weights mapped from their files."""

import ctypes
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError, did_you_mean
from stbuild.package.bundle import BufferArgument, Bundle
from stbuild.package.xclbin import kernel_image
from stbuild.runtime.devices.cpu import check_cpu
from stbuild.runtime.devices.device import CacheOwner, Tap
from stbuild.runtime.devices.fault import DeviceError, DeviceFault
from stbuild.runtime.devices.image import TAP, load_image

PAGE = 4096
_DEADLOCK = 1
"""What `stb_run` gives then, as `hls_lib/sim/abi.hpp` says."""


class NativeDevice:
    """A kernel image with its buffers; a launch runs inside `wait`.

    Weights are mapped read-only, once for host and device, who cannot change them. Other buffers are two
    anonymous mappings, which take memory only where they are touched.
    `image` is another image of the same design, such as the timed one, to run instead of the bundle's.
    """

    def __init__(self, bundle: Bundle, image: Path | None = None) -> None:
        manifest = bundle.manifest
        check_cpu(manifest.cpu_flags)
        self._platform = manifest.platform
        self.clock_mhz = manifest.clock_mhz
        data = kernel_image(bundle.xclbin) if image is None else image.read_bytes()
        self._image = load_image(data, image or bundle.xclbin)
        self._scalars = tuple(argument.scalar for argument in manifest.scalars)
        self._host = {b.buffer: map_buffer(bundle.path, b) for b in manifest.buffers}
        self._card = {
            b.buffer: self._host[b.buffer] if is_shared(b) else map_buffer(bundle.path, b)
            for b in manifest.buffers
        }
        addresses = [int(self._card[b.buffer].ctypes.data) for b in manifest.buffers]
        self._addresses = (ctypes.c_void_p * len(addresses))(*addresses)
        self._values: ctypes.Array[ctypes.c_uint64] | None = None
        self._callbacks: list[Any] = []
        self.cache_owner = CacheOwner()

    @property
    def description(self) -> str:
        """`emulated u55c on this host`."""
        return f"emulated {self._platform} on this host"

    @property
    def taps(self) -> Self:
        """The device itself."""
        return self

    @property
    def cycle_counter(self) -> Self:
        """The device itself."""
        return self

    @property
    def sensors(self) -> None:
        """An emulated card has none."""

    def buffer(self, name: str) -> NDArray[np.uint8]:
        """The host copy itself."""
        return self._host[known(name, self._host, "buffer")]

    def sync_to_device(self, name: str, size: int | None = None) -> None:
        """Copy, unless host and device share the buffer."""
        _copy(self.buffer(name), self._card[name], size)

    def sync_from_device(self, name: str, size: int | None = None) -> None:
        """Copy, unless host and device share the buffer."""
        _copy(self._card[known(name, self._card, "buffer")], self._host[name], size)

    def start(self, scalars: Mapping[str, int]) -> None:
        """Take in the arguments of a launch."""
        if self._values is not None:
            raise ValueError("a launch was started and not waited for")
        self._values = (ctypes.c_uint64 * len(self._scalars))(*in_order(scalars, self._scalars))

    def wait(self) -> None:
        """Run the kernels once; a deadlock or failed check is a StbuildError with their message."""
        values, self._values = self._values, None
        if values is None:
            raise ValueError("no launch was started")
        ended = self._image.stb_run(self._addresses, values)
        if ended != 0:
            message = (self._image.stb_message() or b"no message").decode("utf-8", "replace")
            fault = DeviceFault.HUNG if ended == _DEADLOCK else DeviceFault.FAILED
            raise DeviceError(message, fault=fault, where=self.description)

    def launch(self, scalars: Mapping[str, int]) -> None:
        """Start and wait."""
        self.start(scalars)
        self.wait()

    def cycles(self) -> int:
        """Cycles of the last launch, by the time-stamped network; 0 with time-stamps off."""
        return int(self._image.stb_cycles())

    def profile(self) -> str:
        """JSON: how many cycles of the last launch each process worked and waited; of a timed image only."""
        function = self._image.stb_profile
        function.restype, function.argtypes = ctypes.c_char_p, ()
        text: bytes = function() or b"[]"
        return text.decode()

    def trace(self) -> str:
        """JSON: what each process of the last launch read and wrote, step by step; of a traced image only."""
        function = self._image.stb_trace
        function.restype, function.argtypes = ctypes.c_char_p, ()
        text: bytes = function() or b"{}"
        return text.decode()

    def tap(self, stream: str, receive: Tap) -> None:
        """Call `receive` with every word that passes through `stream`."""
        callback = TAP(lambda _user, data, size: receive(ctypes.string_at(data, size)))
        if self._image.stb_tap(stream.encode(), callback, None) != 0:
            names = [each["name"] for each in json.loads(self.streams())]
            raise StbuildError(
                f"the design has no stream {stream!r}",
                where=self.description,
                hint=did_you_mean(stream, names),
            )
        self._callbacks.append(callback)

    def set(self, key: str, value: float) -> None:
        """Set an option of the emulator, such as `depth.<stream>`."""
        if self._image.stb_set(key.encode(), value) != 0:
            raise StbuildError(f"the emulator has no option {key!r}", where=self.description)

    def streams(self) -> str:
        """JSON: every FIFO with its depth and the most that it ever held."""
        text: bytes = self._image.stb_streams() or b"[]"
        return text.decode()

    def close(self) -> None:
        """Drop the mappings; the image stays loaded until the process ends."""
        self._host.clear()
        self._card.clear()


def is_shared(buffer: BufferArgument) -> bool:
    """Whether host and device may look at one mapping, since neither writes to it."""
    return buffer.file is not None and not buffer.writable


def map_buffer(folder: Path, buffer: BufferArgument) -> NDArray[np.uint8]:
    """Memory for one copy of a buffer; that of one which is shared can only be read."""
    if buffer.file is None:
        return np.frombuffer(mmap.mmap(-1, -(-buffer.bytes // PAGE) * PAGE), np.uint8)[: buffer.bytes]
    with (folder / buffer.file).open("rb") as file:
        mode = mmap.ACCESS_READ if is_shared(buffer) else mmap.ACCESS_COPY
        return np.frombuffer(mmap.mmap(file.fileno(), buffer.bytes, access=mode), np.uint8)


def in_order(scalars: Mapping[str, int], names: tuple[str, ...]) -> list[int]:
    """The scalars in the order of the kernel's arguments; StbuildError for one that it does not have."""
    for name in scalars:
        known(name, names, "scalar")
    return [scalars[name] for name in names]


def known(name: str, names: Any, kind: str) -> str:
    """`name`, if it is one of `names`; else a StbuildError."""
    if name not in names:
        raise StbuildError(f"the design has no {kind} {name!r}", hint=did_you_mean(name, names))
    return name


def _copy(source: NDArray[np.uint8], target: NDArray[np.uint8], size: int | None) -> None:
    if source is not target:
        target[:size] = source[:size]
