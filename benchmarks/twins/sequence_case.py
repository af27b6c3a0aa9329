"""Launches of the sequencer: linear ops of all batches and of the head, keys and values in windows."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.twins.comparison import COMMAND, Case, Generator, Traffic
from benchmarks.twins.lane_case import KEYS, VALUES
from benchmarks.twins.read_case import HBM_BYTES
from benchmarks.twins.verilated import Port
from benchmarks.twins.words import command
from stbuild.resources.plumbing import sequence_hardware

BATCH, CHANNELS, OPS = 12, 27, 45
BLOCK, LATENCY = 32, 36
LAUNCHES = ((1, 128), (1, 0), (12, 31), (13, 64), (32, 1000), (5, 351))
"""Tokens and position."""


def program() -> NDArray[np.int32]:
    """Descriptors as they lie in memory; the last one ends the launch."""
    rng = np.random.default_rng(13)
    lanes = rng.integers(0, 2**15, (OPS, 16)).astype(np.int32)
    lanes[:, 0] = 1
    lanes[:, 5] = rng.integers(0, CHANNELS, OPS)
    lanes[:, 9] = rng.integers(1, 13, OPS)
    lanes[:, 14] = rng.choice([0, 0, KEYS, VALUES, 3], OPS)
    lanes[:, 10] = (rng.random(OPS) < 0.2) & (lanes[:, 14] % 3 == 0)
    lanes[:, 11] = BATCH * rng.integers(0, 3, OPS) * (lanes[:, 10] == 0)
    lanes[:, 15] = rng.choice([0, 16, 300, 4096], OPS)
    lanes[-1] = 0
    return lanes


PROGRAM = program()


def sent(tokens: int, pos: int, *, head: bool) -> int:
    """The words of a launch."""
    rows = [_rows(op, tokens, pos, head=head) for op in PROGRAM[:-1]]
    return sum(-(-max(count, 0) // BATCH) for count in rows) + 1


def _rows(op: NDArray[np.int32], tokens: int, pos: int, *, head: bool) -> int:
    if op[14] in (KEYS, VALUES):
        window = int(op[15]) or 2**15
        return tokens * int(op[9]) * (pos // BLOCK > max(pos + 1 - window, 0) // BLOCK)
    return int(head) if op[10] else min(tokens - int(op[11]), BATCH)


def sequenced(rng: Generator) -> Traffic:
    """One launch."""
    tokens, pos = LAUNCHES[rng.integers(0, len(LAUNCHES))]
    head = bool(rng.integers(0, 2))
    return Traffic(inputs=(command(tokens, head, pos),), outputs=(sent(tokens, pos, head=head),))


WORDS = ", ".join(map(str, PROGRAM.reshape(-1)))
LANES = f"static const std::int32_t lanes[] = {{{WORDS}}};"
PRELUDE = f"""
struct Program {{
  alignas(64) Word words[{OPS}];
  Program() {{
    {LANES}
    for (int i = 0; i < {16 * OPS}; ++i) stb::set_lane(words[i / 16], i % 16, lanes[i]);
  }}
}};
static const Program kProgram;
static void sequence_run(Port<Cmd>& cmd, Port<Word>& desc) {{
  const Cmd c = cmd.read();
  const int n = stb::cmd_tokens(c);
  const int pos = static_cast<int>(stb::cmd_pos(c));
  stb::sequence<{BATCH}, {CHANNELS}>(kProgram.words, 0, {OPS}, n, pos, stb::cmd_head(c), desc);
}}
"""
MEMORY = f"{LATENCY}, {LATENCY}, {HBM_BYTES}, lanes"
SEQUENCE = Case(
    name="sequence",
    module="sequence_twin",
    parameters={"BATCH": BATCH, "CHANNELS": CHANNELS, "END": OPS},
    ports=(COMMAND, Port(name="desc", into_twin=False)),
    call="sequence_run",
    prelude=PRELUDE,
    settings={"bytes_per_cycle": HBM_BYTES, "read_latency": LATENCY},
    each_cycle=f"{LANES} static bench::ReadMemory memory({MEMORY}); memory.step(twin, now);",
    traffic=sequenced,
    hardware=sequence_hardware(),
    memory_port=True,
)
