"""Compiles C++ as synthesis sees it: ap_uint words, hls::stream, C++14, clang."""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.hls_lib.single import HLS_LIB

CLANG = "clang++-16"
STAND_IN = Path(__file__).parent / "synthesis"
"""The folder of a stand-in for `hls_stream.h`."""
FLAGS = ("-std=c++14", "-DSTB_SYNTHESIS", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fPIC")


def compile_for_synthesis(arguments: Sequence[str]) -> None:
    """Runs clang with the headers of hls_lib, the open ap_types and the stand-in; skips without them."""
    if shutil.which(CLANG) is None:
        pytest.skip(f"{CLANG} is missing: apt-get install clang-16")
    includes = ["-isystem", str(STAND_IN), "-isystem", str(ap_types()), "-I", str(HLS_LIB / "include")]
    argv = [CLANG, *FLAGS, *includes, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def ap_types() -> Path:
    """The folder of the open `ap_int.h` (Apache-2.0) that the package hls4ml carries."""
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the open ap_types are missing: pip install --no-deps hls4ml==1.3.0")
    return Path(spec.submodule_search_locations[0]) / "templates/vivado/ap_types"
