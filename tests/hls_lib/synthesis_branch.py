"""Compiles C++ as synthesis sees it: ap_uint words, hls::stream, C++14, clang."""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests.hls_lib.single import HLS_LIB

CLANG = "clang++-16"
UNBOUNDED = Path(__file__).parent / "synthesis"
"""The folder of a `hls_stream.h` whose streams never fill: for calls one after the other, and for syntax."""
BOUNDED = Path(__file__).parent / "emulator/synthesis"
"""The folder of one whose streams have their depth, on the emulator's fibers."""
FLAGS = ("-std=c++14", "-DSTB_SYNTHESIS", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fPIC")


def compile_for_synthesis(arguments: Sequence[str], stand_in: Path = UNBOUNDED) -> str:
    """What clang prints, with the headers of hls_lib, the open ap_types and the stand-in; skips without."""
    if shutil.which(CLANG) is None:
        pytest.skip(f"{CLANG} is missing: apt-get install clang-16")
    includes = ["-isystem", str(stand_in), "-isystem", str(ap_types()), "-I", str(HLS_LIB / "include")]
    argv = [CLANG, *FLAGS, *includes, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def preprocessed(source: Path) -> str:
    """The text of `source` without macros, with the preprocessor's line markers."""
    return compile_for_synthesis(["-E", str(source)])


def check_files(sources: Sequence[Path], stand_in: Path = UNBOUNDED) -> None:
    """Parses each source and instantiates its templates, with warnings as errors."""
    parsed = ["-include-pch", str(vendor_headers("-O0", stand_in))]
    compile_for_synthesis(["-O0", "-fsyntax-only", *parsed, *map(str, sources)], stand_in)


def compile_files(sources: Sequence[Path], folder: Path, stand_in: Path = UNBOUNDED) -> list[Path]:
    """Compiles each source to an object in `folder`, two at a time."""

    def one(source: Path) -> Path:
        out = folder / f"{source.stem}.o"
        parsed = ["-include-pch", str(vendor_headers("-O1", stand_in))]
        compile_for_synthesis(["-O1", *parsed, "-c", str(source), "-o", str(out)], stand_in)
        return out

    vendor_headers("-O1", stand_in)
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, sources))


@cache
def vendor_headers(option: str, stand_in: Path) -> Path:
    """The vendor's headers parsed, once a test session."""
    folder = Path(tempfile.mkdtemp(prefix="stbuild-vendor-"))
    (folder / "vendor.hpp").write_text("#include <ap_int.h>\n#include <hls_stream.h>\n")
    parsed = folder / "vendor.pch"
    source = ["-x", "c++-header", str(folder / "vendor.hpp")]
    compile_for_synthesis([option, *source, "-o", str(parsed)], stand_in)
    return parsed


def ap_types() -> Path:
    """The folder of the open `ap_int.h` (Apache-2.0) that the package hls4ml carries."""
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the open ap_types are missing: pip install --no-deps hls4ml==1.3.0")
    return Path(spec.submodule_search_locations[0]) / "templates/vivado/ap_types"
