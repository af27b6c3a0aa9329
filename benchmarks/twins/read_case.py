"""Launches of a memory reader: long reads and short ones."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.verilated import Port
from stbuild.ir.parts import Add, Hold

HBM_BYTES = 53.2
"""Bytes a cycle at 250 MHz of a port of 13.3 GB/s."""
MEMORY_WORDS = 8192
MEMORY = f"""
struct Memory {{
  alignas(64) Word words[{MEMORY_WORDS}];
  Memory() {{
    for (unsigned i = 0; i < {MEMORY_WORDS}; ++i)
      for (unsigned l = 0; l < 16; ++l)
        stb::set_lane(words[i], static_cast<int>(l), static_cast<int>((i * 16 + l) * 2654435761u));
  }}
}};
static const Memory kMemory;
static void read_run(Port<Cmd>& cmd, Port<Word>& y) {{
  for (Cmd c = cmd.read(); c != 0; c = cmd.read()) {{  // the reads of one launch
    const auto count = static_cast<std::int64_t>(c & 0xffffffff);
    stb::send(kMemory.words, static_cast<std::int64_t>(c >> 32), count, y);
  }}
}}
"""


def reads(rng: Generator) -> Traffic:
    """Two long reads and some short ones."""
    counts = np.array([4000, *rng.integers(1, 400, 4), 3000], np.uint64)
    firsts = rng.integers(0, MEMORY_WORDS - 4000, len(counts)).astype(np.uint64)
    return _asked(firsts, counts)


def _asked(firsts: NDArray[np.uint64], counts: NDArray[np.uint64]) -> Traffic:
    """A command for each read, and one that ends the launch."""
    commands = np.append(firsts << np.uint64(32) | counts, np.uint64(0)).reshape(-1, 1).view(np.uint8)
    return Traffic(inputs=(commands,), outputs=(int(counts.sum()),))


def pieces(rng: Generator) -> Traffic:
    """Short reads, as of records, scales and parameters: each waits for its first word."""
    counts = rng.integers(1, 49, 100).astype(np.uint64)
    firsts = rng.integers(0, MEMORY_WORDS - 64, len(counts)).astype(np.uint64)
    return _asked(firsts, counts)


def read_case(least: int, most: int, name: str = "", traffic: Callable[[Generator], Traffic] = reads) -> Case:
    """Reads from HBM whose first words come after `least` to `most` cycles, their mean in the network."""
    return Case(
        name=name or f"read_{least}_{most}",
        module="read_twin",
        parameters={},
        ports=(COMMAND, Port(name="y", into_twin=False)),
        call="read_run",
        prelude=MEMORY,
        settings={"bytes_per_cycle": HBM_BYTES, "read_latency": (least + most) / 2},
        each_cycle=f"static bench::ReadMemory memory({least}, {most}, {HBM_BYTES}); memory.step(twin, now);",
        traffic=traffic,
        hardware=(Add(bits=64, count=2), Hold(bits=64)),
        memory_port=True,
    )


READ_CASES = (
    read_case(36, 36),
    read_case(36, 100),
    read_case(36, 36, "read_pieces", pieces),
)
