"""The device model behind XRT's software emulation: compiled from hls_lib/xrt_model when first needed."""

import hashlib
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from stbuild import layout
from stbuild.errors import StbuildError

COMPILER = "g++"
FLAGS = ("-std=c++17", "-O2")
PROGRAM = "genericpciemodel"
"""What XRT calls the program that it starts."""


def model_program() -> Path:
    """The compiled model, from the cache or made now."""
    sources = sorted((layout.builtin_root() / "hls_lib/xrt_model").glob("*.[ch]pp"))
    program = layout.default_cache_dir() / "xrt-model" / _digest(sources) / PROGRAM
    if not program.is_file():
        _compile([path for path in sources if path.suffix == ".cpp"], program)
    return program


def _digest(sources: list[Path]) -> str:
    digest = hashlib.sha256(repr((COMPILER, FLAGS, platform.machine())).encode())
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _compile(sources: list[Path], program: Path) -> None:
    if shutil.which(COMPILER) is None:
        raise StbuildError(f"XRT's software emulation needs {COMPILER}", hint="apt-get install g++")
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / PROGRAM
        argv = (COMPILER, *FLAGS, *map(str, sources), "-o", str(made), "-ldl")
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise StbuildError(
                f"the device model for XRT does not compile: {done.stderr.strip().splitlines()[0]}",
                where=str(sources[0].parent),
                exit_code=1,
            )
        made.rename(program)
