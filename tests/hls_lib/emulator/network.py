"""Hand-written networks, compiled with the emulator in one of its variants and launched in process."""

import ctypes
import json
import subprocess
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HLS_LIB = Path(__file__).parents[3] / "hls_lib"
FLAGS = ("-std=c++17", "-march=native", "-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
WORD_BYTES = 64
TAP = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long)

AnyArray = NDArray[Any]


class Variant(Enum):
    """How the emulator is built: flags, as one text because Python 3.11.2 loses a member that is `()`."""

    FAST = ""
    WITHOUT_VNNI = "-mno-avx512vnni"
    TIMED = "-DSTB_TIMED"
    TIMED_TEXT = "-DSTB_TIMED -DSTB_PLAIN_TILE"
    STRICT = "-DSTB_STRICT"
    PORTABLE = "-DSTB_PORTABLE_FIBERS -DSTB_PLAIN_TILE"


class LaunchError(Exception):
    """A launch ended with a code other than 0: 1 is a deadlock, 2 a failed check."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Network:
    """A loaded kernel image."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.stb_message.restype = ctypes.c_char_p
        self._library.stb_streams.restype = ctypes.c_char_p
        self._library.stb_cycles.restype = ctypes.c_uint64
        self._library.stb_set.argtypes = (ctypes.c_char_p, ctypes.c_double)

    def run(self, buffers: Sequence[AnyArray], scalars: Sequence[int] = ()) -> None:
        """One launch; the buffers must be `aligned`."""
        pointers = (ctypes.c_void_p * len(buffers))(*(b.ctypes.data for b in buffers))
        values = (ctypes.c_uint64 * len(scalars))(*scalars)
        code = self._library.stb_run(pointers, values)
        if code != 0:
            raise LaunchError(code, self._library.stb_message().decode())

    def set(self, key: str, value: float) -> int:
        """Change a setting: 0, or 1 for a key that does not exist."""
        return int(self._library.stb_set(key.encode(), value))

    def cycles(self) -> int:
        """Cycles of the last launch."""
        return int(self._library.stb_cycles())

    def streams(self) -> list[dict[str, Any]]:
        """Name, depth and high-water mark of each stream."""
        result: list[dict[str, Any]] = json.loads(self._library.stb_streams())
        return result

    def tapped(self, stream: str, buffers: Sequence[AnyArray], scalars: Sequence[int]) -> list[bytes]:
        """The tokens written to `stream` in one launch."""
        tokens: list[bytes] = []
        callback = TAP(lambda _, data, size: tokens.append(ctypes.string_at(data, size)))
        self._library.stb_tap(stream.encode(), callback, None)
        self.run(buffers, scalars)
        self._library.stb_tap(stream.encode(), TAP(), None)
        return tokens


def aligned(values: AnyArray) -> AnyArray:
    """A copy that begins at a multiple of 64 bytes."""
    memory = np.zeros(values.nbytes + WORD_BYTES, np.uint8)
    start = -memory.ctypes.data % WORD_BYTES
    result = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    result[...] = values
    return result


def compile_runtime(folder: Path, variant: Variant) -> list[Path]:
    """The objects of hls_lib/sim."""
    objects = []
    for source in sorted((HLS_LIB / "sim").glob("*.cpp")):
        objects.append(folder / f"{source.stem}.o")
        compile_cpp(["-O2", *variant.value.split(), "-c", str(source), "-o", str(objects[-1])])
    return objects


def link_network(sources: Sequence[Path], runtime: Sequence[Path], folder: Path, variant: Variant) -> Network:
    """Compile `sources` and load them with the objects `runtime`."""
    library = folder / "network.so"
    inputs = [*map(str, sources), *map(str, runtime)]
    compile_cpp(
        [
            "-O2" if variant in (Variant.FAST, Variant.WITHOUT_VNNI) else "-O1",
            *variant.value.split(),
            "-shared",
            *inputs,
            "-o",
            str(library),
        ]
    )
    return Network(library)


def compile_cpp(arguments: Sequence[str]) -> None:
    """Run g++ with the flags of the product and `arguments`."""
    argv = ["g++", *FLAGS, "-I", str(HLS_LIB / "include"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
