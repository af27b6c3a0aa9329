"""A network of single operators between memory buffers: compiled once, launched many times."""

import ctypes
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.hls_lib.emulator.network import aligned

HLS_LIB = Path(__file__).parents[2] / "hls_lib"
LANES = 16
FLAGS = ("-std=c++17", "-O3", "-march=native", "-Wall", "-Wextra", "-Werror", "-fPIC")

Words = NDArray[np.int32]
"""Stream words [words, 16]."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    """The call of one hls_lib process; `ports` has a letter for each stream behind `cmd`.

    i: input, o: output, p: input that does not wait for turns. `words` are those of a vector on each
    stream (of a run's parameters), `tail` the operands behind the streams; streams of `depth` words lie
    before and behind the process.
    """

    name: str
    call: str
    ports: str
    words: tuple[int, ...] = ()
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
        self._numbers = {op.name: i for i, op in enumerate(operators)}
        self._ports = {op.name: op.ports for op in operators}

    def run(
        self, name: str, command: Command, inputs: Sequence[Words], outputs: Sequence[int], turns: int = 1
    ) -> list[Words]:
        """One launch of operator `name`; `outputs` are the words that it writes to each output.

        With more than one turn, the inputs of a turn come only when the outputs of the one before are out.
        """
        given, wanted = iter(inputs), iter(outputs)
        buffers = [
            aligned(np.asarray(next(given), np.int32) if port != "o" else _zeros(next(wanted)))
            for port in self._ports[name]
        ]
        pointers = (ctypes.c_void_p * len(buffers))(*(b.ctypes.data for b in buffers))
        sizes = [b.size // LANES for b in buffers]
        self.launch(name, command, pointers, sizes, turns)
        return [b for b, port in zip(buffers, self._ports[name], strict=True) if port == "o"]

    def launch(self, name: str, command: Command, pointers: object, sizes: list[int], turns: int) -> None:
        """Runs the network; `sizes` are the words of the buffers."""
        values = (self._numbers[name], command.bits(), turns, *sizes)
        scalars = (ctypes.c_uint64 * len(values))(*values)
        if self._library.stb_run(pointers, scalars) != 0:
            raise RuntimeError(self._library.stb_message().decode())


def _zeros(count: int) -> Words:
    return np.zeros((count, LANES), np.int32)


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """The compiled emulator, and the flags that everything linked to it needs."""

    objects: tuple[Path, ...]
    flags: tuple[str, ...]


def build_emulator(folder: Path, flags: Sequence[str] = ()) -> Emulator:
    """Compiles hls_lib/sim."""
    for source in sorted((HLS_LIB / "sim").glob("*.cpp")):
        compile_cpp(["-O1", "-c", *flags, str(source), "-o", str(folder / f"{source.stem}.o")])
    return Emulator(objects=tuple(sorted(folder.glob("*.o"))), flags=tuple(flags))


def build_image(operators: Sequence[Operator], folder: Path, emulator: Emulator, prelude: str = "") -> Image:
    """Compiles `operators` with the emulator."""
    source, library = folder / "single.cpp", folder / "single.so"
    source.write_text(program(operators, prelude))
    objects = map(str, emulator.objects)
    compile_cpp(["-shared", *emulator.flags, str(source), *objects, "-o", str(library)])
    return Image(library, operators)


def compile_cpp(arguments: Sequence[str]) -> None:
    """Runs g++ with the flags of the product and `arguments`."""
    argv = ["g++", *FLAGS, "-I", str(HLS_LIB / "include"), *arguments]
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
template <typename... Go>
static void feed(Port<Word> out, const void* from, std::uint64_t count, std::uint64_t turns, Go... go) {{
  const std::uint64_t part = count / turns;
  for (std::uint64_t t = 0; t < turns; ++t) {{
    if (t > 0) (go.read(), ...);
    stb::write_n(out, static_cast<const Word*>(from) + t * part, static_cast<int>(part));
  }}
}}
template <typename... Go>
static void drain(Port<Word> in, void* to, std::uint64_t count, std::uint64_t turns, Go... go) {{
  const std::uint64_t part = count / turns;
  for (std::uint64_t t = 0; t < turns; ++t) {{
    stb::read_n(in, static_cast<Word*>(to) + t * part, static_cast<int>(part));
    if (t + 1 < turns) (go.write(0), ...);
  }}
}}
namespace stb {{
namespace sim {{
void build() {{
{units}
}}
void launch(void* const* buffers, const std::uint64_t* scalars) {{
  const std::uint64_t bits = scalars[1];
  const std::uint64_t turns = scalars[2];
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
    ends = "\n".join(_end(i, op) for i in range(len(op.ports)))
    return f"""  if (scalars[0] == {number}) {{
    Unit unit("{op.name}");
    STB_FIFO(Cmd, cmd, 2)
    STB_CALL(command, (cmd.write(bits)))
{ends}
  }}"""


def _end(i: int, op: Operator) -> str:
    """The process at the far end of stream `i`; `go_x_y` says that input x may take the turn after y's."""
    kind, turns = ("drain" if op.ports[i] == "o" else "feed"), ("1" if op.ports[i] == "p" else "turns")
    pairs = {
        "i": [f"go_{i}_{o}" for o, port in enumerate(op.ports) if port == "o"],
        "o": [f"go_{k}_{i}" for k, port in enumerate(op.ports) if port == "i"],
        "p": [],
    }[op.ports[i]]
    fifos = " ".join(f"STB_FIFO(Cmd, {go}, 2)" for go in pairs)
    operands = ", ".join([f"p{i}", f"buffers[{i}]", f"scalars[{3 + i}]", turns, *pairs])
    return f"""    {{
      STB_FIFO(Word, p{i}, {op.depth}) {fifos}
      STB_CALL(end{i}, ({kind}({operands})))
    }}"""
