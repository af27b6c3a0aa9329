"""Law: the text that synthesis sees, with ap_uint words, gives the bits of the formula."""

import importlib.util
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.hls_lib.emulator.conftest import CompileRuntime
from tests.hls_lib.emulator.engine_network import EngineSizes, engine_source
from tests.hls_lib.emulator.network import HLS_LIB, Network, Variant
from tests.hls_lib.emulator.test_matmul import Linear, run

CLANG = "clang++-16"
STAND_IN = Path(__file__).parent / "synthesis"
FLAGS = (
    "-std=c++14",
    "-DSTB_SYNTHESIS",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unknown-pragmas",
    "-fPIC",
    "-O1",
)
SIZES = EngineSizes(units=2, lanes=2, columns=256, chunk=3, token_lanes=2, depth=8)
EXAMPLE = sorted((Path(__file__).parents[1] / "example").glob("*.cpp"))


def op(tiles: int, bits: int, load: bool, head: bool) -> Linear:
    return Linear(
        tiles=tiles, columns=256, group=64, bits=bits, load=load, source=1, destination=0, head=head
    )


OPS = (op(5, 4, True, False), op(3, 8, False, False), op(2, 4, True, True))


def compile_for_synthesis(arguments: Sequence[str]) -> None:
    """Run clang with the open ap_types and the stand-in for hls_stream.h; skip without them."""
    if shutil.which(CLANG) is None:
        pytest.skip(f"{CLANG} is missing: apt-get install clang-16")
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the open ap_types are missing: pip install --no-deps hls4ml==1.3.0")
    ap_types = Path(spec.submodule_search_locations[0]) / "templates/vivado/ap_types"
    includes = ["-isystem", str(STAND_IN), "-isystem", str(ap_types), "-I", str(HLS_LIB / "include")]
    done = subprocess.run([CLANG, *FLAGS, *includes, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("tokens", [1, 3])
def test_engine_gives_the_same_bits(compile_sim: CompileRuntime, tmp_path: Path, tokens: int) -> None:
    (tmp_path / "network.cpp").write_text(engine_source(SIZES))
    library = tmp_path / "network.so"
    objects = map(str, compile_sim(Variant.FAST))
    compile_for_synthesis(["-shared", str(tmp_path / "network.cpp"), *objects, "-o", str(library)])
    got, expected = run(Network(library), SIZES, OPS, tokens, True, np.random.default_rng(tokens))
    for y, y_expected in zip(got, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


@pytest.mark.parametrize("source", EXAMPLE, ids=lambda path: path.name)
def test_example_compiles(source: Path) -> None:
    compile_for_synthesis(["-fsyntax-only", str(source)])
