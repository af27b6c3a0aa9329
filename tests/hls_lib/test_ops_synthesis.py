"""Law: every operator compiles as synthesis sees it, and gives there the bits of the emulation."""

import ctypes

import numpy as np
import pytest

from tests.hls_lib.card import SHAPES, Card, drawn
from tests.hls_lib.numbers import vector, words
from tests.hls_lib.operators import OPERATORS, PRELUDE, example
from tests.hls_lib.single import Command, Image, Operator
from tests.hls_lib.synthesis_branch import compile_for_synthesis

VECTORS = [op for op in OPERATORS if op.words]
FEEDS = """#include "stb/ops.hpp"
using stb::Cmd;
using stb::Port;
using stb::Word;
static void feed(Port<Word>& out, const void* from, uint64_t count) {
  const int32_t* lanes = static_cast<const int32_t*>(from);
  for (uint64_t i = 0; i < count; ++i) {
    Word w = stb::zero_word();
    for (int l = 0; l < 16; ++l) stb::set_lane(w, l, lanes[16 * i + l]);
    out.write(w);
  }
}
static void drain(Port<Word>& in, void* to, uint64_t count) {
  int32_t* lanes = static_cast<int32_t*>(to);
  for (uint64_t i = 0; i < count; ++i) {
    const Word w = in.read();
    for (int l = 0; l < 16; ++l) lanes[16 * i + l] = stb::lane(w, l);
  }
}
"""


class SynthesisImage(Image):
    """The operators as plain functions on hls::stream."""

    def __init__(self, library: ctypes.CDLL, operators: list[Operator]) -> None:
        self._functions = {op.name: library[op.name] for op in operators}
        self._ports = {op.name: op.ports for op in operators}

    def launch(self, name: str, command: Command, pointers: object, sizes: list[int], turns: int) -> None:
        """One call, with all inputs there."""
        words_of_ports = (ctypes.c_uint64 * len(sizes))(*sizes)
        left = self._functions[name](ctypes.c_uint64(command.bits()), pointers, words_of_ports)
        assert left == 0, f"{left} streams are not empty"


def function(op: Operator) -> str:
    """A C function that calls `op` between buffers; gives the number of streams that are not empty."""
    ports = range(len(op.ports))
    operands = ", ".join(["cmd", *(f"p{i}" for i in ports), *([op.tail] if op.tail else [])])
    lines = [
        f'extern "C" int {op.name}(uint64_t bits, void* const* buffers, const uint64_t* sizes) {{',
        '  Port<Cmd> cmd("cmd");',
        *(f'  Port<Word> p{i}("p{i}");' for i in ports),
        "  cmd.write(Cmd(bits));",
        *(f"  feed(p{i}, buffers[{i}], sizes[{i}]);" for i in ports if op.ports[i] != "o"),
        f"  STB_CALL(process, ({op.call}({operands})))",
        *(f"  drain(p{i}, buffers[{i}], sizes[{i}]);" for i in ports if op.ports[i] == "o"),
        f"  return {' + '.join(f'!p{i}.empty()' for i in ports)};",
        "}",
    ]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def synthesis_image(tmp_path_factory: pytest.TempPathFactory) -> SynthesisImage:
    folder = tmp_path_factory.mktemp("synthesis")
    text = "\n".join([FEEDS, PRELUDE, *map(function, OPERATORS)])
    (folder / "ops.cpp").write_text(text + "\n")
    compile_for_synthesis(["-O1", "-shared", str(folder / "ops.cpp"), "-o", str(folder / "ops.so")])
    return SynthesisImage(ctypes.CDLL(str(folder / "ops.so")), list(OPERATORS))


@pytest.mark.parametrize("op", VECTORS, ids=lambda op: op.name)
def test_operators_give_the_same_bits(synthesis_image: Image, image: Image, op: Operator) -> None:
    case = example(op)
    got = [i.run(op.name, case.command, case.inputs, case.outputs) for i in (synthesis_image, image)]
    assert all(np.array_equal(a, b) for a, b in zip(*got, strict=True))


def test_attention_gives_the_same_bits(synthesis_image: Image, image: Image) -> None:
    q, k, v = drawn(SHAPES[0], 5, 6)
    cards = [Card(image=i, shape=SHAPES[0]) for i in (synthesis_image, image)]
    for tokens in (slice(0, 3), slice(3, 6)):
        given = [[run[tokens] for run in x] for x in (q, k, v)]
        assert cards[0].launch(*given) == cards[1].launch(*given)


def test_sampling_gives_the_same_bits(synthesis_image: Image, image: Image) -> None:
    x = words([vector(3, 96)])
    got = [i.run("argmax", Command(tokens=1), [x], [6, 1]) for i in (synthesis_image, image)]
    assert all(np.array_equal(a, b) for a, b in zip(*got, strict=True))
