"""Loads a kernel image, the shared object with the kernels of an emulated card, into this process."""

import ctypes
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stbuild.errors import StbuildError

ELF_MACHINES = {"x86_64": 62, "aarch64": 183, "riscv64": 243, "ppc64le": 21}
"""`e_machine` of ELF files by the machine's name in `uname -m`."""

TAP = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_char), ctypes.c_long)
"""The type of the function that `stb_tap` calls."""

_SYMBOLS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("stb_run", ctypes.c_int, (ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_uint64))),
    ("stb_message", ctypes.c_char_p, ()),
    ("stb_cycles", ctypes.c_uint64, ()),
    ("stb_tap", ctypes.c_int, (ctypes.c_char_p, TAP, ctypes.c_void_p)),
    ("stb_set", ctypes.c_int, (ctypes.c_char_p, ctypes.c_double)),
    ("stb_streams", ctypes.c_char_p, ()),
)


def load_image(data: bytes, xclbin: Path) -> ctypes.CDLL:
    """The image's library with its functions typed; `xclbin` is where a StbuildError says it came from."""
    check_image(data, xclbin)
    library = _open_library(data, xclbin)
    for name, result, arguments in _SYMBOLS:
        try:
            function: Callable[..., Any] = getattr(library, name)
        except AttributeError:
            raise StbuildError(f"the kernel image has no function {name}", where=str(xclbin)) from None
        function.restype, function.argtypes = result, arguments  # type: ignore[attr-defined]  # a ctypes function
    return library


def is_image(data: bytes) -> bool:
    """Whether a BITSTREAM section is a kernel image for this host, whatever target it was linked for."""
    return data[:4] == b"\x7fELF"


def check_image(data: bytes, xclbin: Path) -> None:
    """Refuse what is no shared object, was cut off, or is for another kind of machine."""
    here = platform.machine()
    if not is_image(data):
        raise StbuildError(
            "the xclbin holds no kernel image for an emulated card",
            where=str(xclbin),
            hint="build with --target sw_emu, or run it on a card: --device xrt:0",
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
