"""Compiles a twin of rtl_lib/twins with Verilator, and runs it between streams."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TWINS = Path(__file__).parents[2] / "rtl_lib/twins"
SOURCES = (*sorted(TWINS.glob("*.sv")), TWINS.parent / "parts/fifo_memory.sv")
"""What a twin may be made of."""
HERE = Path(__file__).parent
MISSING = "verilator is missing: apt-get install verilator"
UNIQUE = ("--x-assign", "unique", "--x-initial", "unique")
"""Registers begin with values of their own."""
LIMIT = 20_000_000
"""Cycles after which a twin has hung."""

Cycles = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Port:
    """A stream port: its pins are `bus`, `bus_valid` and `bus_ready`, or word `index` of them where several
    streams share a bus; `bus` is its name if empty. `depth` is that of its FIFO."""

    name: str
    into_twin: bool
    bytes: int = 64
    depth: int = 4
    bus: str = ""
    index: int = 0


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Words [count, bytes] for a port, or None for what a sink reads; from which cycle on each may pass."""

    data: Bytes | None
    at: Cycles


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What passed a port: the words that the twin wrote, the cycles of writes and reads."""

    data: Bytes
    written: Cycles
    read: Cycles


def verilator() -> str | None:
    """Where Verilator is."""
    return shutil.which("verilator")


def verilator_root() -> Path:
    """Its folder of C++ sources."""
    found = subprocess.run(
        ("verilator", "--getenv", "VERILATOR_ROOT"), capture_output=True, text=True, check=True
    )
    return Path(found.stdout.strip()) / "include"


def compile_runtime(folder: Path) -> Path:
    """Verilator's own C++, once for all twins."""
    include, target = verilator_root(), folder / "verilated.a"
    objects = []
    for name in ("verilated", "verilated_threads"):
        objects.append(str(folder / f"{name}.o"))
        _run("g++", "-O1", "-c", "-I", str(include), str(include / f"{name}.cpp"), "-o", objects[-1])
    _run("ar", "rcs", str(target), *objects)
    return target


def compile_twin(
    module: str, ports: Sequence[Port], parameters: Mapping[str, int | str], folder: Path, runtime: Path,
    extra: str = "", optimize: str = "-O1",
) -> Path:  # fmt: skip
    """The program that runs a twin; `extra` is C++ for each cycle, `optimize` a flag of g++."""
    verilate(module, SOURCES, parameters, folder)
    (folder / "main.cpp").write_text(_main(ports, sorted(folder.glob("Twin*.cpp")), extra))
    program = folder / "twin"
    include = verilator_root()
    _run(
        "g++", "-std=c++17", optimize, "-I", str(include), "-I", str(folder), "-I", str(HERE),
        str(folder / "main.cpp"), str(runtime), "-o", str(program), "-pthread",
    )  # fmt: skip
    return program


def verilate(
    module: str, sources: Sequence[Path], parameters: Mapping[str, int | str], folder: Path,
    options: Sequence[str] = UNIQUE,
) -> None:  # fmt: skip
    """The C++ of a module, as class `Twin`."""
    folder.mkdir(parents=True, exist_ok=True)
    values = [f"-G{k}={_literal(v)}" for k, v in parameters.items()]
    _run(
        "verilator", "--cc", "--top-module", module, "--Mdir", str(folder), "--prefix", "Twin", "-O3",
        *options, "-Wno-fatal", "-Wno-WIDTH", "-Wno-PINMISSING", *values, *map(str, sources),
    )  # fmt: skip


def run_twin(program: Path, ports: Sequence[Port], feeds: Sequence[Feed]) -> list[Passed]:
    """What passed each port; a twin that does not pass all words is an error."""
    request, answer = program.with_suffix(".in"), program.with_suffix(".out")
    with request.open("wb") as file:
        for port, feed in zip(ports, feeds, strict=True):
            np.array([port.into_twin, port.bytes, port.depth, len(feed.at)], np.uint64).tofile(file)
            feed.at.astype(np.int64).tofile(file)
            if feed.data is not None:
                feed.data.astype(np.uint8).tofile(file)
    _run(str(program), str(request), str(answer), cwd=TWINS)
    raw = answer.read_bytes()
    passed, offset = [], 0
    for port, feed in zip(ports, feeds, strict=True):
        count = len(feed.at)
        written = np.frombuffer(raw, np.int64, count, offset)
        read = np.frombuffer(raw, np.int64, count, offset + 8 * count)
        offset += 16 * count
        data = np.zeros(0, np.uint8)
        if not port.into_twin:
            data = np.frombuffer(raw, np.uint8, count * port.bytes, offset)
            offset += data.size
        passed.append(Passed(data=data.reshape(-1, port.bytes), written=written, read=read))
    return passed


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _main(ports: Sequence[Port], sources: Sequence[Path], extra: str) -> str:
    includes = "\n".join(f'#include "{source.name}"' for source in sources)
    connected = ",\n".join(map(pins, ports))
    return f"""{includes}
#include "bench.hpp"
#include "memory.hpp"
int main(int, char** argv) {{
  Twin twin;
  std::vector<bench::Pins> pins = {{
{connected}
  }};
  const auto each_cycle = [&](bench::Cycle now) {{ (void)now; {extra} }};
  return bench::run(twin, pins, argv[1], argv[2], {LIMIT}, each_cycle);
}}
"""


def pins(port: Port) -> str:
    """The C++ that connects a port to its pins (`Pins` of bench.hpp)."""
    bus, word = port.bus or port.name, f"{port.bytes}, {port.index}"
    if port.into_twin:
        return (
            f"{{[&](const unsigned char* word, bool there) {{ bench::set(twin.{bus}, word, {word}); "
            f"bench::set_bit(twin.{bus}_valid, {port.index}, there); }}, "
            f"[&] {{ return bench::get_bit(twin.{bus}_ready, {port.index}); }}, {{}}, {{}}}}"
        )
    return (
        f"{{{{}}, {{}}, [&](bool room) {{ bench::set_bit(twin.{bus}_ready, {port.index}, room); }}, "
        f"[&](unsigned char* word) {{ bench::get(twin.{bus}, word, {word}); "
        f"return bench::get_bit(twin.{bus}_valid, {port.index}); }}}}"
    )


def _run(*argv: str, cwd: Path | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv[:3])} … fails:\n{(done.stdout + done.stderr)[-4000:]}")
