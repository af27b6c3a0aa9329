"""The emulated card: the bundle's kernel image in this process, weights mapped from their files."""

import ctypes
import json
import mmap
import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError, did_you_mean
from stbuild.package.bundle import BufferArgument, Bundle
from stbuild.package.xclbin import kernel_image
from stbuild.runtime.cpu import check_cpu
from stbuild.runtime.device import CacheOwner, Tap

PAGE = 4096
ELF_MACHINES = {"x86_64": 62, "aarch64": 183, "riscv64": 243, "ppc64le": 21}
"""`e_machine` of ELF files by the machine's name in `uname -m`."""

_TAP = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char), ctypes.c_long)
_SYMBOLS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("stb_run", ctypes.c_int, (ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_uint64))),
    ("stb_message", ctypes.c_char_p, ()),
    ("stb_cycles", ctypes.c_uint64, ()),
    ("stb_tap", ctypes.c_int, (ctypes.c_char_p, _TAP, ctypes.c_void_p)),
    ("stb_set", ctypes.c_int, (ctypes.c_char_p, ctypes.c_double)),
    ("stb_streams", ctypes.c_char_p, ()),
)


class NativeDevice:
    """A kernel image with its buffers. Weights are mapped read-only; the others are zeros at first.

    `image` is another image of the same design, such as the timed one, to run instead of the bundle's.
    """

    def __init__(self, bundle: Bundle, image: Path | None = None) -> None:
        manifest = bundle.manifest
        check_cpu(manifest.cpu_flags)
        self._platform = manifest.platform
        data = kernel_image(bundle.xclbin) if image is None else image.read_bytes()
        self._image = _load_image(data, image or bundle.xclbin)
        self._scalars = tuple(argument.scalar for argument in manifest.scalars)
        self._buffers = {b.buffer: _map(bundle.path, b) for b in manifest.buffers}
        addresses = [_address(b.buffer, self._buffers) for b in manifest.buffers]
        self._addresses = (ctypes.c_void_p * len(addresses))(*addresses)
        self._callbacks: list[Any] = []
        self.cache_owner = CacheOwner()

    @property
    def description(self) -> str:
        """`emulated u55c on this host`."""
        return f"emulated {self._platform} on this host"

    def buffer(self, name: str) -> NDArray[np.uint8]:
        """The buffer itself, not a copy."""
        return self._buffers[_known(name, self._buffers, "buffer")]

    def launch(self, scalars: Mapping[str, int]) -> None:
        """Run the kernels once; a deadlock or failed check is a StbuildError with their message."""
        for name in scalars:
            _known(name, self._scalars, "scalar")
        values = (ctypes.c_uint64 * len(self._scalars))(*(scalars[name] for name in self._scalars))
        if self._image.stb_run(self._addresses, values) != 0:
            message = self._image.stb_message() or b"no message"
            raise StbuildError(message.decode("utf-8", "replace"), where=self.description, exit_code=1)

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
        callback = _TAP(lambda _user, data, size: receive(ctypes.string_at(data, size)))
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
        self._buffers.clear()


def _load_image(data: bytes, xclbin: Path) -> ctypes.CDLL:
    _check_elf(data, xclbin)
    library = _open_library(data, xclbin)
    for name, result, arguments in _SYMBOLS:
        try:
            function: Callable[..., Any] = getattr(library, name)
        except AttributeError:
            raise StbuildError(f"the kernel image has no function {name}", where=str(xclbin)) from None
        function.restype, function.argtypes = result, arguments  # type: ignore[attr-defined]  # a ctypes function
    return library


def _check_elf(data: bytes, xclbin: Path) -> None:
    here = platform.machine()
    if data[:4] != b"\x7fELF":
        raise StbuildError(
            "the xclbin holds no kernel image for an emulated card",
            where=str(xclbin),
            hint="build with --target sw_emu",
        )
    if len(data) < _elf_bytes(data):
        raise StbuildError(
            "the kernel image was cut off", where=str(xclbin), hint="build it again", exit_code=1
        )
    machine = int.from_bytes(data[18:20], "little")
    if here in ELF_MACHINES and machine != ELF_MACHINES[here]:
        names = {number: name for name, number in ELF_MACHINES.items()}
        built_for = names.get(machine, f"machine {machine}")
        raise StbuildError(
            f"the kernel image was built for {built_for}, this machine is {here}",
            where=str(xclbin),
            hint="build it again on this machine",
            exit_code=1,
        )


def _elf_bytes(data: bytes) -> int:
    """Where the section table ends, which linkers put last; loading less than that would crash."""
    table = int.from_bytes(data[40:48], "little")
    entry, count = (int.from_bytes(data[at : at + 2], "little") for at in (58, 60))
    return max(64, table + entry * count)


def _open_library(data: bytes, xclbin: Path) -> ctypes.CDLL:
    """Load a shared object from memory, through a file that nobody else sees."""
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        file.write(data)
        file.flush()
        try:
            return ctypes.CDLL(file.name, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        except OSError as error:
            reason = str(error).rpartition(file.name)[2].lstrip(": ")
            raise StbuildError(
                f"the kernel image cannot be loaded: {reason}", where=str(xclbin), exit_code=1
            ) from error


def _map(folder: Path, buffer: BufferArgument) -> NDArray[np.uint8]:
    if buffer.file is None:
        return np.frombuffer(mmap.mmap(-1, -(-buffer.bytes // PAGE) * PAGE), np.uint8)[: buffer.bytes]
    with (folder / buffer.file).open("rb") as file:
        mode = mmap.ACCESS_COPY if buffer.writable else mmap.ACCESS_READ
        return np.frombuffer(mmap.mmap(file.fileno(), buffer.bytes, access=mode), np.uint8)


def _address(name: str, buffers: Mapping[str, NDArray[np.uint8]]) -> int:
    return int(buffers[name].ctypes.data)


def _known(name: str, names: Any, kind: str) -> str:
    if name not in names:
        raise StbuildError(f"the design has no {kind} {name!r}", hint=did_you_mean(name, names))
    return name
