"""The same processes alone in the timed network: what passes their streams, and when."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from benchmarks.twins.verilated import Bytes, Cycles, Feed, Passed, Port
from tests.hls_lib.single import build_emulator, compile_cpp

FLAGS = ("-DSTB_TIMED", "-O1")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A call of hls_lib on streams; `tail` are the operands behind them, `once` a process of `control`."""

    name: str
    call: str
    ports: tuple[Port, ...]
    tail: str = ""


class TimedImage:
    """Processes compiled together, run one at a time."""

    def __init__(self, processes: Sequence[Process], folder: Path, prelude: str = "") -> None:
        emulator = build_emulator(folder, FLAGS)
        source, library = folder / "timed.cpp", folder / "timed.so"
        source.write_text(_program(processes, prelude))
        compile_cpp(["-shared", *FLAGS, str(source), *map(str, emulator.objects), "-o", str(library)])
        self._library = ctypes.CDLL(str(library))
        self._library.stb_message.restype = ctypes.c_char_p
        self._numbers = {process.name: i for i, process in enumerate(processes)}
        self._ports = {process.name: process.ports for process in processes}

    def run(
        self, name: str, feeds: Sequence[Feed], settings: Mapping[str, float] = MappingProxyType({})
    ) -> list[Passed]:
        """What passes each port of process `name`; `settings` are those of its memory."""
        for key, value in settings.items():
            if self._library.stb_set(f"{key}.{name}.process".encode(), ctypes.c_double(value)) != 0:
                raise RuntimeError(f"the emulator has no setting {key}")
        ports = self._ports[name]
        pointers: list[int] = []
        kept: list[Bytes | Cycles] = []
        passed: list[Passed] = []
        for port, feed in zip(ports, feeds, strict=True):
            count = len(feed.at)
            data = _aligned(count * port.bytes) if feed.data is None else _aligned_copy(feed.data)
            result = Passed(
                data=data.reshape(-1, port.bytes),
                written=np.zeros(count, np.int64),
                read=np.zeros(count, np.int64),
            )
            at = feed.at.astype(np.int64)
            stamps = result.written if port.into_twin else result.read
            pointers += [data.ctypes.data, at.ctypes.data, stamps.ctypes.data]
            kept += [data, at]
            passed.append(result)
        buffers = (ctypes.c_void_p * len(pointers))(*pointers)
        values = (self._numbers[name], *(len(feed.at) for feed in feeds))
        scalars = (ctypes.c_uint64 * len(values))(*values)
        if self._library.stb_run(buffers, scalars) != 0:
            raise RuntimeError(self._library.stb_message().decode())
        return passed


def _aligned(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def _aligned_copy(
    data: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    copy = _aligned(data.size)
    copy[:] = data.reshape(-1)
    return copy


def _program(processes: Sequence[Process], prelude: str) -> str:
    units = "\n".join(map(_unit, processes))
    feeds = "\n".join(_ends(i, process) for i, process in enumerate(processes))
    return f"""#include "stb/ops.hpp"
#include "stb/matmul.hpp"
#include "stb/memory.hpp"
#include "stb/router.hpp"
using stb::Cmd;
using stb::Port;
using stb::Word;
{prelude}
template <typename T>
static void source(Port<T> out, const void* from, const void* at, void* stamps, std::uint64_t count) {{
  stb::sim::Clock& mine = stb::sim::clock();
  for (std::uint64_t k = 0; k < count; ++k) {{
    mine.now = stb::sim::later(mine.now, static_cast<const std::uint64_t*>(at)[k]);
    out.write(static_cast<const T*>(from)[k]);
    static_cast<std::uint64_t*>(stamps)[k] = mine.now++;
  }}
}}
template <typename T>
static void sink(Port<T> in, void* to, const void* at, void* stamps, std::uint64_t count) {{
  stb::sim::Clock& mine = stb::sim::clock();
  for (std::uint64_t k = 0; k < count; ++k) {{
    mine.now = stb::sim::later(mine.now, static_cast<const std::uint64_t*>(at)[k]);
    static_cast<T*>(to)[k] = in.read();
    static_cast<std::uint64_t*>(stamps)[k] = mine.now++;
  }}
}}
namespace stb {{
namespace sim {{
void build() {{
{units}
}}
void launch(void* const* buffers, const std::uint64_t* scalars) {{
{feeds}
}}
}}  // namespace sim
}}  // namespace stb
"""


def _type(port: Port) -> str:
    return "Cmd" if port.bytes == 8 else "Word"


def _fifos(process: Process) -> str:
    return "\n".join(f"    STB_FIFO({_type(p)}, {p.name}, {p.depth})" for p in process.ports)


def _unit(process: Process) -> str:
    operands = ", ".join([*(port.name for port in process.ports), *([process.tail] if process.tail else [])])
    return f"""  {{
    Unit unit("{process.name}");
{_fifos(process)}
    STB_CALL(process, ({process.call}({operands})))
  }}"""


def _ends(number: int, process: Process) -> str:
    ends = "\n".join(_end(i, port) for i, port in enumerate(process.ports))
    return f"""  if (scalars[0] == {number}) {{
    Unit unit("{process.name}");
{_fifos(process)}
{ends}
  }}"""


def _end(i: int, port: Port) -> str:
    kind = "source" if port.into_twin else "sink"
    return (
        f"    STB_CALL(end{i}, ({kind}<{_type(port)}>({port.name}, buffers[{3 * i}], buffers[{3 * i + 1}], "
        f"buffers[{3 * i + 2}], scalars[{1 + i}])))"
    )
