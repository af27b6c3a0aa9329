"""A network of single operators between memory buffers: compiled once, launched many times."""

import ctypes
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HLS_LIB = Path(__file__).parents[2] / "hls_lib"
LANES = 16
FLAGS = ("-std=c++17", "-O3", "-march=native", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")

Words = NDArray[np.int32]
"""Stream words [words, 16]."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """The call of one hls_lib process: `ports` says of each stream behind `cmd` if it goes in or out.

    `tail` are operands behind the streams; streams of `depth` words lie before and behind the process.
    """

    name: str
    call: str
    ports: str
    tail: str = ""
    depth: int = 3


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a launch tells a process."""

    tokens: int
    head: bool = True
    pos: int = 0

    def bits(self) -> int:
        return self.tokens | int(self.head) << 16 | self.pos << 32


class Image:
    """The compiled network."""

    def __init__(self, library: Path, operators: Sequence[Operator]) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.stb_message.restype = ctypes.c_char_p
        self._library.stb_cycles.restype = ctypes.c_uint64
        self._numbers = {op.name: i for i, op in enumerate(operators)}
        self._ports = {op.name: op.ports for op in operators}

    def run(
        self, name: str, command: Command, inputs: Sequence[Words], outputs: Sequence[int]
    ) -> list[Words]:
        """One launch of operator `name`; `outputs` are the words that it writes to each output."""
        given, wanted = iter(inputs), iter(outputs)
        buffers = [
            np.ascontiguousarray(next(given), np.int32)
            if port == "i"
            else np.zeros((next(wanted), LANES), np.int32)
            for port in self._ports[name]
        ]
        pointers = (ctypes.c_void_p * len(buffers))(*(b.ctypes.data for b in buffers))
        sizes = [b.size // LANES for b in buffers]
        scalars = (ctypes.c_uint64 * (2 + len(sizes)))(self._numbers[name], command.bits(), *sizes)
        if self._library.stb_run(pointers, scalars) != 0:
            raise RuntimeError(self._library.stb_message().decode())
        return [b for b, port in zip(buffers, self._ports[name], strict=True) if port == "o"]

    def cycles(self) -> int:
        """Cycles of the last launch in an image built with STB_TIMED."""
        return int(self._library.stb_cycles())


def build_image(
    operators: Sequence[Operator], folder: Path, *, prelude: str = "", flags: Sequence[str] = ()
) -> Image:
    """Compiles `operators` with the emulator."""
    source = folder / "single.cpp"
    source.write_text(program(operators, prelude))
    library = folder / "single.so"
    sim = sorted((HLS_LIB / "sim").glob("*.cpp"))
    compile_library([source, *sim], library, flags)
    return Image(library, operators)


def compile_library(sources: Sequence[Path], library: Path, flags: Sequence[str] = ()) -> None:
    """Compiles `sources` to the shared object `library`."""
    argv = ["g++", *FLAGS, *flags, "-I", str(HLS_LIB / "include"), *map(str, sources), "-o", str(library)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def program(operators: Sequence[Operator], prelude: str = "") -> str:
    """The C++ of the network: every operator a unit of its own, fed by the launch that names it."""
    units = "\n".join(_unit(op) for op in operators)
    feeds = "\n".join(_feeds(i, op) for i, op in enumerate(operators))
    return f"""#include "stb/ops.hpp"
using stb::Cmd;
using stb::Port;
using stb::Word;
{prelude}
static void feed(Port<Word> out, const void* from, std::uint64_t count) {{
  stb::write_n(out, static_cast<const Word*>(from), static_cast<int>(count));
}}
static void drain(Port<Word> in, void* to, std::uint64_t count) {{
  stb::read_n(in, static_cast<Word*>(to), static_cast<int>(count));
}}
namespace stb {{
namespace sim {{
void build() {{
{units}
}}
void launch(void* const* buffers, const std::uint64_t* scalars) {{
  const std::uint64_t bits = scalars[1];
{feeds}
}}
}}  // namespace sim
}}  // namespace stb
"""


def _unit(op: Operator) -> str:
    streams = [f"p{i}" for i in range(len(op.ports))]
    operands = ", ".join(["cmd", *streams, *([op.tail] if op.tail else [])])
    return f"""  {{
    Unit unit("{op.name}");
    STB_FIFO(Cmd, cmd, 2)
    {" ".join(f"STB_FIFO(Word, {s}, {op.depth})" for s in streams)}
    STB_CALL(process, ({op.call}({operands})))
  }}"""


def _feeds(number: int, op: Operator) -> str:
    kinds = {"i": "feed", "o": "drain"}
    calls = "\n".join(
        f"    STB_FIFO(Word, p{i}, {op.depth})\n"
        f"    STB_CALL(end{i}, ({kinds[port]}(p{i}, buffers[{i}], scalars[{2 + i}])))"
        for i, port in enumerate(op.ports)
    )
    return f"""  if (scalars[0] == {number}) {{
    Unit unit("{op.name}");
    STB_FIFO(Cmd, cmd, 2) STB_CALL(command, (cmd.write(bits)))
{calls}
  }}"""
