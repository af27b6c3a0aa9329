"""Law: attention around the engine gives the bits of attention in one process, launch after launch."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.hls_lib.emulator.attention_network import LOOKAHEAD, RECORDS_AT, TILES_AT, buffers, network_source
from tests.hls_lib.emulator.attention_sizes import Sizes
from tests.hls_lib.emulator.conftest import BuildNetwork
from tests.hls_lib.emulator.network import AnyArray, Network, Variant, aligned

SLOPES = (0.5, 2.0**-8, -0.3, 0.0)
MODELLED = (
    Sizes(heads=3, kv_heads=3, head_dim=16, runs=2, chunk=5),
    Sizes(heads=9, kv_heads=3, head_dim=64, runs=2, scale=0.125, chunk=40, engine_chunk=7, context=199),
    Sizes(heads=4, kv_heads=1, head_dim=80, channels=4),
    Sizes(heads=3, kv_heads=1, head_dim=96, channels=1, engine_chunk=32),
    Sizes(heads=2, kv_heads=2, head_dim=128, scale=128**-0.5, channels=7),
    Sizes(heads=8, kv_heads=1, head_dim=256, scale=1 / 16, chunk=3, channels=5),
    Sizes(heads=20, kv_heads=20, head_dim=16, scale=1.0, channels=30, context=120),
    Sizes(heads=4, kv_heads=2, head_dim=16, runs=6, windows=(1, 3, 31, 45, 96, 999), label="_windows"),
    Sizes(heads=4, kv_heads=1, head_dim=16, cap=50.0, scale=1.0, label="_cap"),
    Sizes(heads=4, kv_heads=4, head_dim=32, slopes=SLOPES, label="_slopes"),
    Sizes(heads=4, kv_heads=2, head_dim=16, runs=2, sinks=True, label="_sinks"),
    Sizes(heads=18, kv_heads=18, head_dim=16, runs=2, windows=(5, 70), cap=5.0, scale=1.0, sinks=True,
          slopes=tuple(2.0 ** -(i / 3) for i in range(18)), label="_all"),
)  # fmt: skip

ENGINES = (
    Sizes(heads=6, kv_heads=2, head_dim=64, channels=4, lanes=2, engine_chunk=8, token_lanes=3),
    Sizes(heads=3, kv_heads=3, head_dim=80, channels=3, lanes=3, runs=2, engine_chunk=5, token_lanes=1,
          windows=(40, 150), context=140, label="_windows"),
    Sizes(heads=4, kv_heads=1, head_dim=128, channels=6, lanes=2, engine_chunk=12, token_lanes=4, chunk=12),
)  # fmt: skip


@dataclass(kw_only=True)
class Session:
    """A network with its memory, and what is left in it."""

    network: Network
    sizes: Sizes
    rng: np.random.Generator
    memory: dict[str, AnyArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s = self.sizes
        words = dict.fromkeys(buffers(s), s.channel_words + TILES_AT)
        chunk = s.runs * s.chunk
        words |= {"q": chunk * s.heads * s.head_dim // 16, "sinks": s.runs * s.sink_words, "program": 4096}
        words |= dict.fromkeys(("k", "v"), chunk * s.kv_heads * s.head_dim // 16)
        words |= dict.fromkeys(("y", "oracle_y"), words["q"])
        words |= {"kv": RECORDS_AT + s.record_words + s.scale_words}
        words |= {
            "oracle_k": s.runs * s.context * s.key_words,
            "oracle_v": s.runs * s.context * s.value_words,
        }
        for name in buffers(s):
            pattern = self.rng.integers(-(2**31), 2**31, (words[name], 16)).astype(np.int32)
            self.memory[name] = aligned(pattern)
        program = raw_program(s) if s.lanes else self.memory["program"][:0]
        self.memory["program"][:, 0] = np.arange(len(self.memory["program"]))
        self.memory["program"][: len(program)] = program
        self.program_words = len(program)

    @property
    def records(self) -> AnyArray:
        """All records: [run][position][word]."""
        s = self.sizes
        words = self.memory["kv"][RECORDS_AT : RECORDS_AT + s.record_words]
        return words.reshape(s.runs, s.context, s.key_words + s.value_words, 16)

    def launch(self, pos: int, n: int) -> None:
        """One launch with new numbers; both attentions must give the same."""
        for name in ("q", "k", "v"):
            self.memory[name][...] = drawn(self.rng, self.memory[name].shape, self.sizes.head_dim)
        self.network.run([self.memory[b] for b in buffers(self.sizes)], (n, pos, self.program_words))
        used = self.sizes.runs * n * self.sizes.heads * self.sizes.head_dim // 16
        where = f"position {pos}, {n} tokens"
        np.testing.assert_array_equal(self.memory["y"][:used], self.memory["oracle_y"][:used], where)


def drawn(rng: np.random.Generator, shape: tuple[int, ...], head_dim: int) -> NDArray[np.int32]:
    """Heads of very different sizes, some with extreme values, some zero."""
    flat = rng.integers(-(2**31) + 1, 2**31, shape).reshape(-1, head_dim)
    shifts = rng.choice((0, 10, 15, 18, 31), (len(flat), 1), p=(0.1, 0.3, 0.3, 0.2, 0.1))
    flat = flat >> shifts
    extreme = rng.random(flat.shape) < 0.02
    flat[extreme] = rng.choice((2**31 - 1, 1 - 2**31), int(extreme.sum()))
    heads: NDArray[np.int32] = flat.reshape(shape).astype(np.int32)
    return heads


def launches(s: Sizes, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Prefill in chunks, decode over a block's border, back to an earlier position, chunks to the end."""
    pos = 0
    while pos < 40:
        n = int(rng.integers(1, s.chunk + 1))
        yield pos, n
        pos += n
    for _ in range(60):
        yield pos, 1
        pos += 1
    pos = int(rng.integers(33, pos))
    yield pos, 1
    pos += 1
    while pos < s.context:
        n = min(int(rng.integers(1, s.chunk + 1)), s.context - pos)
        yield pos, n
        pos += n


def raw_program(s: Sizes) -> AnyArray:
    """The descriptors of the raw ops of all runs, and the end."""
    words = []
    for run in range(s.runs):
        for step in range(s.kv_heads + LOOKAHEAD):
            if step < s.kv_heads:
                words.append(raw_op(s, run, step, 1))
            if step >= LOOKAHEAD:
                words.append(raw_op(s, run, step - LOOKAHEAD, 2))
    return np.array([*words, [0] * 16], np.int32)


def raw_op(s: Sizes, run: int, head: int, kind: int) -> list[int]:
    """A descriptor as it lies in memory."""
    keys = kind == 1
    base = head * s.channels // s.kv_heads if keys else head * s.head_dim // 16
    groups, tiles = (-(-s.head_dim // 32), 0) if keys else (0, s.head_dim // 16)
    rows = s.shared if keys else 3 * s.shared
    window = s.windows[run] if s.windows else 0
    place = 0 if keys else 1
    return [1, groups, 1, 2, tiles, base % s.channels, 1, place, place, rows, 0, 0, 0, 0, kind, window]


def run_session(network: Network, sizes: Sizes, seed: int) -> Session:
    session = Session(network=network, sizes=sizes, rng=np.random.default_rng(seed))
    for pos, n in launches(sizes, session.rng):
        session.launch(pos, n)
    records = np.split(session.records, [sizes.key_words], axis=2)
    for kind, found in zip("kv", records, strict=True):
        np.testing.assert_array_equal(found, session.memory[f"oracle_{kind}"].reshape(found.shape))
    return session


@pytest.mark.parametrize("sizes", MODELLED, ids=lambda s: s.name)
def test_attention_around_a_model_of_the_engine(build_network: BuildNetwork, sizes: Sizes) -> None:
    network = build_network(network_source(sizes), Variant.FAST)
    run_session(network, sizes, 1)


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.PORTABLE, Variant.TIMED, Variant.STRICT])
@pytest.mark.parametrize("sizes", ENGINES, ids=lambda s: s.name)
def test_attention_around_the_engine(build_network: BuildNetwork, sizes: Sizes, variant: Variant) -> None:
    network = build_network(network_source(sizes), variant)
    run_session(network, sizes, 2)


def test_raw_ops_take_the_cycles_of_the_text_that_synthesis_gets(build_network: BuildNetwork) -> None:
    """Whole columns at a time in the emulator, words, scalings and results one by one in the text."""
    cycles: list[list[int]] = []
    for variant in (Variant.TIMED, Variant.TIMED_TEXT):
        network = build_network(network_source(ENGINES[0]), variant)
        session = Session(network=network, sizes=ENGINES[0], rng=np.random.default_rng(3))
        cycles.append([])
        for pos, n in (*((p, 8) for p in range(0, 96, 8)), (96, 1), (97, 1)):
            session.launch(pos, n)
            cycles[-1].append(network.cycles())
    assert cycles[0] == cycles[1]


@pytest.mark.parametrize("variant", [Variant.TIMED, Variant.STRICT])
def test_attention_around_a_model_in_other_modes(build_network: BuildNetwork, variant: Variant) -> None:
    sizes = MODELLED[-1]
    run_session(build_network(network_source(sizes), variant), sizes, 4)


@pytest.mark.parametrize("sizes", [MODELLED[i] for i in (1, 2, 5, 11)], ids=lambda s: s.name)
def test_tiles_lie_where_the_machine_says(build_network: BuildNetwork, sizes: Sizes) -> None:
    """Every completed block of the cache, by the formulas of docs/machine.md; nothing else is written."""
    network = build_network(network_source(sizes), Variant.FAST)
    session = Session(network=network, sizes=sizes, rng=np.random.default_rng(5))
    before = {name: session.memory[name].copy() for name in session.memory}
    for pos in range(0, 64 + sizes.chunk, sizes.chunk):
        session.launch(pos, sizes.chunk)
    expected = {name: before[name].view(np.uint8).reshape(-1, 64) for name in before if name != "q"}
    for run in range(sizes.runs):
        for head in range(sizes.kv_heads):
            for block in range((pos + sizes.chunk) // 32):
                write_block(sizes, session, expected, run, head, block)
    expected["kv"][RECORDS_AT:][: sizes.record_words] = session.records.view(np.uint8).reshape(-1, 64)
    for name in ("kv", *(f"kv_{c}" for c in range(sizes.channels))):
        np.testing.assert_array_equal(session.memory[name].view(np.uint8).reshape(-1, 64), expected[name])


def write_block(
    s: Sizes, session: Session, expected: dict[str, AnyArray], run: int, head: int, block: int
) -> None:
    """The tiles and scales of one block, from the records of its positions."""
    padded = -(-s.head_dim // 64) * 64
    positions = slice(32 * block, 32 * block + 32)
    records = session.records[run, positions].reshape(32, -1).view(np.uint8)
    keys, values = (
        r[:, head * padded :][:, :padded].view(np.int8) for r in (records, records[:, 64 * s.key_words :])
    )
    scales = records[:, s.value_words * 64 + 4 * head :][:, :4]
    at = RECORDS_AT + s.record_words + (run * s.kv_heads + head) * 2 * s.blocks + 2 * block
    expected["kv"][at : at + 2] = scales.reshape(2, 64)
    groups = -(-s.head_dim // 32)
    for t in (2 * block, 2 * block + 1):
        rows = keys[16 * (t % 2) : 16 * (t % 2) + 16, : 32 * groups]
        rounds = -(-2 * s.blocks // s.channels)
        word = ((run * s.kv_heads + head) * rounds + t // s.channels) * groups * 8
        channel = (head * s.channels // s.kv_heads + t) % s.channels
        expected[f"kv_{channel}"][TILES_AT + word :][: groups * 8] = squares(rows)
    start = s.runs * s.kv_heads * -(-2 * s.blocks // s.channels) * groups * 8
    for u in range(s.head_dim // 16):
        rounds = -(-s.kv_heads * (s.head_dim // 16) // s.channels)
        tile = head * (s.head_dim // 16) + u
        word = start + ((run * rounds + tile // s.channels) * s.blocks + block) * 8
        channel = tile % s.channels
        expected[f"kv_{channel}"][TILES_AT + word :][:8] = squares(values[:, 16 * u : 16 * u + 16].T)


def squares(rows: AnyArray) -> AnyArray:
    """The words of 16 rows of int8: of each 32 columns two planes of four words."""
    stored = rows.astype(np.int64) + 128
    words = []
    for first in range(0, rows.shape[1], 32):
        for plane in (stored & 15, stored >> 4):
            parts = [plane[:, c : c + 8] for c in range(first, first + 32, 8)]
            words += [(part[:, :4] | part[:, 4:] << 4).reshape(64) for part in parts]
    return np.array(words, np.uint8)
