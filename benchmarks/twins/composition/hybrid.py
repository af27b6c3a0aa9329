"""The kernel image of a design in which the processes that have a twin run under Verilator."""

import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.twins.composition.instances import Instance, instances
from benchmarks.twins.composition.top import MEMORY, borders, identifier, top_module
from benchmarks.twins.verilated import HERE, SOURCES, Port, pins, verilate, verilator_root
from stbuild.codegen.identifiers import with_identifiers
from stbuild.codegen.kernels import kernel_files
from stbuild.codegen.system import system_file
from stbuild.ir.call import FunctionTable
from stbuild.ir.design import Design
from tests.accelerator import FLAGS, INCLUDE, ROOT, runtime_objects

TIMED = "STB_TIMED=1"
SIM = ROOT / "hls_lib/sim"
COMPOSITION = Path(__file__).parent
FAST = ("--x-assign", "fast", "--x-initial", "fast", "-fno-inline")
"""Less C++: a module for all its instances."""
Job = tuple[Path, tuple[str | Path, ...]]
"""A source and its flags."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a read port's memory does: cycles until a burst's first word, bytes a cycle."""

    least: int
    most: int
    bytes_per_cycle: float


def twins_of(design: Design) -> tuple[Instance, ...]:
    """The instances of a design, with the emulator's names."""
    return instances(with_identifiers(design))


def compile_hybrid(design: Design, folder: Path, memory: Memory) -> Path:
    """The timed network of a design, with its twins outside of it."""
    found = tuple(with_table(each, number, folder) for number, each in enumerate(twins_of(design)))
    (folder / "composition.sv").write_text(top_module(found))
    verilated = folder / "verilated"
    verilate(
        "composition",
        (*SOURCES, COMPOSITION / "stream_fifo.sv", folder / "composition.sv"),
        {},
        verilated,
        FAST,
    )
    (folder / "twins.cpp").write_text(driver(found, memory))
    (folder / "design.cpp").write_text("\n".join((*kernel_files(design).values(), system_file(design))))
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda job: _object(job[0], folder, *job[1]), _jobs(folder)))
    image = folder / "kernels.so"
    linked = (*objects, *runtime_objects((TIMED,)))
    subprocess.run(["g++", "-shared", *linked, "-o", image, "-pthread"], check=True)
    return image


def _jobs(folder: Path) -> Iterator[Job]:
    """The network is one file, as `one_file` of tests/accelerator.py has it."""
    root = verilator_root()
    beside = ("-I", root, "-I", folder / "verilated", "-I", HERE, "-w")
    yield folder / "design.cpp", ("-include", COMPOSITION / "asks.hpp", "-O0")
    # Verilator's own C++ is linked first: its globals are there when those of twins.cpp are made.
    for source in (root / "verilated.cpp", root / "verilated_threads.cpp", folder / "twins.cpp"):
        yield source, beside
    sources = sorted((folder / "verilated").glob("Twin*.cpp"))
    slow = [source for source in sources if "Slow" in source.name]
    yield _joined(folder / "twin_slow.cpp", slow), (*beside, "-O0")
    yield _joined(folder / "twin_fast.cpp", [each for each in sources if each not in slow]), (*beside, "-O0")


def _joined(to: Path, sources: Sequence[Path]) -> Path:
    """One file of many small ones."""
    to.write_text("".join(f'#include "{source.name}"\n' for source in sources))
    return to


def with_table(instance: Instance, number: int, folder: Path) -> Instance:
    """An instance whose table lies in a file."""
    if instance.table is None:
        return instance
    path = folder / f"table_{number}.hex"
    path.write_text(_rows(instance.table))
    return replace(instance, parameters={**instance.parameters, "TABLE": str(path)})


def driver(found: Sequence[Instance], memory: Memory) -> str:
    """The C++ that connects the composition to the network."""
    connected = ",\n".join(_border(identifier(b.stream.name), b.stream.name, b.stream.bytes, b.stream.depth,
                                   into_twin=b.into_twin) for b in borders(found))  # fmt: skip
    memories = ",\n".join(
        _memory(i, each.memory, memory) for i, each in enumerate(e for e in found if e.memory)
    )
    return f"""#include "Twin.h"
#include "outside.hpp"
namespace {{
void attach() {{
  static Twin& twin = *new Twin;
  std::vector<bench::Border> borders = {{
{connected}
  }};
  bench::Composition<Twin>::Memories memories = {{
{memories}
  }};
  static bench::Composition<Twin> composition(twin, borders, memories);
  stb::sim::set_outside(&composition);
}}
const bool attached = (attach(), true);
}}  // namespace
"""


def _border(pin: str, stream: str, size: int, depth: int, *, into_twin: bool) -> str:
    port = pins(Port(name=pin, into_twin=into_twin, bytes=size))
    return f'    {{"{stream}", {size}, {depth}, {str(into_twin).lower()}, {port}}}'


def _memory(number: int, stream: str, memory: Memory) -> str:
    name = identifier(stream)
    fields = "\n".join(f"      decltype(twin.{name}_{pin})& {pin};" for _, pin, _ in MEMORY)
    values = ", ".join(f"twin.{name}_{pin}" for _, pin, _ in MEMORY)
    port = f"{memory.least}, {memory.most}, {memory.bytes_per_cycle}, {number + 1}"
    return f"""    [](bench::Cycle now) {{
      static bench::AskedMemory memory({port});
      struct Pins {{
{fields}
      }};
      return memory.step(Pins{{{values}}}, now);
    }}"""


def _rows(table: FunctionTable) -> str:
    pairs = zip(table.slopes, table.bases, strict=True)
    return "".join(f"{(slope & 0xFFFFFFFF) << 32 | base & 0xFFFFFFFF:016x}\n" for slope, base in pairs)


def _object(source: Path, folder: Path, *flags: str | Path) -> Path:
    out = folder / f"{source.stem}.o"
    argv = ["g++", *FLAGS, *flags, f"-D{TIMED}", "-I", INCLUDE, "-I", SIM, "-I", COMPOSITION, "-c", source]
    subprocess.run([*argv, "-o", out], check=True)
    return out
