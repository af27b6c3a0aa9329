"""The Xilinx Runtime (XRT) of this machine: where it lies, its version, known defects of packages."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError

LIBRARY = "libxrt_coreutil.so.2"
EMULATION = "libxrt_swemu.so.2"
OLDEST = (2, 13)
"""The oldest version that stbuild was tried with."""
HOW_TO_INSTALL = "Debian: apt-get install libxrt1; cards of AMD come with packages of their own"

_VERSION = re.compile(r"\.so\.(\d+)\.(\d+)(?:\.(\d+))?$")

# CpuemShim::alloc_void of Debian 12 and 13 on x86-64: `buf = malloc(size)`; further below, where the buffer
# must grow, `realloc(buf, size)` whose result is thrown away. Its jump behind the call must lead to the
# instruction that stores a new buffer, not to the one after it.
_ALLOC_VOID = re.compile(
    rb"\xe8.{4}(?P<store>\x48\x89\x83.{4})\x48\x89\xe8\xeb.(?:\x0f\x1f\x40\x00)?"
    rb"\x48\x8b\xbf.{4}\xe8.{4}\x48\x85\xc0\x75(?P<jump>.)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Xrt:
    """An installation: the folder with its libraries, and the version that the files' names tell."""

    folder: Path
    version: tuple[int, ...]

    @property
    def library(self) -> Path:
        """The library with the C interface."""
        return self.folder / LIBRARY

    def __str__(self) -> str:
        return f"XRT {'.'.join(map(str, self.version)) or 'of unknown version'} in {self.folder}"


def find_xrt(environ: Mapping[str, str] = os.environ) -> Xrt:
    """The XRT to use: `$XILINX_XRT`, else where packages put it; StbuildError without a usable one."""
    for folder in _folders(environ):
        if (folder / LIBRARY).is_file():
            return _checked(Xrt(folder=folder, version=_version(folder / LIBRARY)))
    named = environ.get("XILINX_XRT")
    if named:
        raise StbuildError(f"there is no XRT in {named}: lib/{LIBRARY} is missing", hint="correct XILINX_XRT")
    raise StbuildError(f"this machine has no XRT: {LIBRARY} was not found", hint=HOW_TO_INSTALL)


def loses_buffers(xrt: Xrt) -> bool:
    """Whether its software emulation goes on to use memory that it has freed (Debian 12 and 13)."""
    path = xrt.folder / EMULATION
    return path.is_file() and _ALLOC_VOID.search(path.read_bytes()) is not None


def cured_emulation(library: bytes) -> bytes:
    """The software emulation's library, with its `alloc_void` storing the buffer that has grown."""
    found = _ALLOC_VOID.search(library)
    if found is None:
        return library
    jump = found.start("jump")
    displacement = found.start("store") - (jump + 1)
    return library[:jump] + displacement.to_bytes(1, "little", signed=True) + library[jump + 1 :]


def broken_wrappers(folder: Path = Path("/usr/bin")) -> Iterator[tuple[str, str]]:
    """XRT's tools in `folder` that only call a program which is not there: their names and that program."""
    for name in ("xbutil", "xbmgmt", "xclbinutil"):
        path = folder / name
        if not path.is_file():
            continue
        program = folder / "unwrapped" / name
        if path.read_bytes()[:2] == b"#!" and "unwrapped" in path.read_text() and not program.exists():
            yield name, str(program)


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("XILINX_XRT"):
        yield Path(environ["XILINX_XRT"]) / "lib"
        return
    yield Path("/opt/xilinx/xrt/lib")
    yield from (Path(p) for p in environ.get("LD_LIBRARY_PATH", "").split(":") if p)
    multiarch = getattr(sys.implementation, "_multiarch", "")
    yield from (Path(p) for p in (f"/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib", "/usr/local/lib"))


def _version(library: Path) -> tuple[int, ...]:
    found = _VERSION.search(library.resolve().name)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def _checked(xrt: Xrt) -> Xrt:
    if xrt.version and xrt.version[:2] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise StbuildError(f"{xrt} is too old: stbuild needs {oldest} or newer", hint=HOW_TO_INSTALL)
    return xrt
