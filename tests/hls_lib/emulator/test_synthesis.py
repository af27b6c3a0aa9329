"""Law: the text that synthesis sees, with ap_uint words, gives the bits of the formula."""

from pathlib import Path

import numpy as np
import pytest

from tests.hls_lib.emulator.attention_network import network_source
from tests.hls_lib.emulator.conftest import CompileRuntime
from tests.hls_lib.emulator.engine_network import EngineSizes, engine_source
from tests.hls_lib.emulator.linear import Form
from tests.hls_lib.emulator.network import Network, Variant
from tests.hls_lib.emulator.test_attention_chain import ENGINES, Session
from tests.hls_lib.emulator.test_matmul import EXTREME, EXTREMES, LARGEST, Linear, run
from tests.hls_lib.synthesis_branch import BOUNDED, compile_for_synthesis

SIZES = EngineSizes(units=2, lanes=2, columns=256, chunk=3, token_lanes=2, depth=8, zero_points=True)
EXAMPLE = sorted((Path(__file__).parents[1] / "example").glob("*.cpp"))


def op(tiles: int, form: Form, load: bool, head: bool) -> Linear:
    return Linear(tiles=tiles, columns=256, form=form, load=load, source=1, destination=0, head=head)


OPS = (
    op(5, Form(group=64, bits=4), True, False),
    op(3, Form(group=64, bits=8), False, False),
    op(4, Form(group=128, bits=4, zero_points=True), False, False),
    op(2, Form(group=64, bits=4), True, True),
)


@pytest.mark.parametrize("tokens", [1, 3])
def test_engine_gives_the_same_bits(compile_sim: CompileRuntime, tmp_path: Path, tokens: int) -> None:
    network = synthesised(SIZES, compile_sim, tmp_path)
    got, expected = run(network, SIZES, OPS, tokens, True, np.random.default_rng(tokens))
    for y, y_expected in zip(got, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


def test_no_number_is_wider_than_its_type(compile_sim: CompileRuntime, tmp_path: Path) -> None:
    """The largest operands: ap_int drops what does not fit, the emulator's plain types would not."""
    network = synthesised(LARGEST, compile_sim, tmp_path)
    got, expected = run(network, LARGEST, EXTREMES, 7, True, np.random.default_rng(5), EXTREME)
    for y, y_expected in zip(got, expected, strict=True):
        np.testing.assert_array_equal(y, y_expected)


def synthesised(sizes: EngineSizes, compile_sim: CompileRuntime, folder: Path) -> Network:
    (folder / "network.cpp").write_text(engine_source(sizes))
    library = folder / "network.so"
    sources = [str(folder / "network.cpp"), *map(str, compile_sim(Variant.FAST))]
    compile_for_synthesis(["-O1", "-shared", *sources, "-o", str(library)], BOUNDED)
    return Network(library)


@pytest.mark.parametrize("source", EXAMPLE, ids=lambda path: path.name)
def test_example_compiles(source: Path) -> None:
    compile_for_synthesis(["-fsyntax-only", str(source)], BOUNDED)


def test_attention_gives_the_same_bits(compile_sim: CompileRuntime, tmp_path: Path) -> None:
    sizes = ENGINES[0]
    (tmp_path / "network.cpp").write_text(network_source(sizes))
    library = tmp_path / "network.so"
    objects = map(str, compile_sim(Variant.FAST))
    sources = [str(tmp_path / "network.cpp"), *objects]
    compile_for_synthesis(["-O1", "-shared", *sources, "-o", str(library)], BOUNDED)
    session = Session(network=Network(library), sizes=sizes, rng=np.random.default_rng(6))
    for pos in range(0, 64, 8):
        session.launch(pos, 8)
    session.launch(64, 1)
