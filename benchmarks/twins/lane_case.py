"""Launches of a lane: ops, their activations, and tiles of weights."""

from dataclasses import dataclass

import numpy as np

from benchmarks.twins.comparison import Case, Generator, Traffic
from benchmarks.twins.verilated import Bytes, Port
from stbuild.ir.lane_shape import LaneShape
from stbuild.resources.lane import lane_hardware, raw_rows

ROWS, GROUP = 16, 32
KEYS, VALUES = 1, 2
"""Kinds of raw ops."""
EXPONENT = 18
"""B: with it, and headers below 16 (2 for 8 bits), no sum of `groups` groups passes 2^62."""


@dataclass(frozen=True, kw_only=True)
class Op:
    """A linear op: groups of 32 columns, how many of them a header has, planes, tiles, tokens."""

    groups: int
    weight_group: int
    planes: int
    tiles: int
    tokens: int
    load: bool = True
    base: int = 0
    channels: int = 1
    shift: int = 56
    source: int = 0
    kind: int = 0
    """1 for keys, 2 for values, whose tiles have no headers."""
    part_follows: bool = False

    @property
    def in_lane(self) -> int:
        """Tiles that lie in channel 0."""
        return self.in_channel(0)

    def in_channel(self, channel: int) -> int:
        """Tiles that lie in a channel."""
        first = (channel - self.base) % self.channels
        return 0 if first >= self.tiles else (self.tiles - first - 1) // self.channels + 1

    def descriptor(self) -> Bytes:
        """The word that the sequencer sends."""
        lanes = np.zeros(16, np.int32)
        lanes[:7] = 1, self.groups, self.weight_group, self.planes, self.tiles, self.base, self.load
        lanes[7:9] = self.source
        lanes[9:15] = self.shift, self.tokens, self.part_follows, self.channels, EXPONENT, self.kind
        lanes[15] = self.tiles // self.channels | self.tiles % self.channels << 16
        return lanes.view(np.uint8).reshape(1, 64)


def lane_traffic(ops: tuple[Op, ...], rng: Generator) -> Traffic:
    """All ops, and a last descriptor that ends the launch."""
    end = np.zeros((1, 64), np.uint8)
    loads = [
        activations(rng, op.groups * op.tokens) if op.kind == 0 else raw_activations(rng, op)
        for op in ops
        if op.load and (op.kind == 0 or op.in_lane > 0)
    ]
    tiles = [weights(rng, op) for op in ops for _ in range(op.in_lane)]
    return Traffic(
        inputs=(
            np.concatenate([*(op.descriptor() for op in ops), end]),
            np.concatenate(loads),
            np.concatenate(tiles),
        ),
        outputs=(sum(op.in_lane * op.tokens for op in ops),),
    )  # fmt: skip


def activations(rng: Generator, words: int) -> Bytes:
    """Prepared words: random ones, and some of the largest."""
    values = rng.integers(-127, 128, (words, GROUP))
    extreme = rng.random(words) < 0.2
    values[extreme] = rng.choice([-127, 127], (extreme.sum(), 1))
    found = np.zeros((words, 64), np.uint8)
    found[:, :GROUP] = values.astype(np.int8).view(np.uint8)
    mantissas, shifts = rng.integers(128, 256, words), rng.integers(0, 13, words)
    mantissas[extreme], shifts[extreme] = 255, 12
    exponents = rng.integers(0, 25, words)
    scales = mantissas | shifts << 8 | exponents << 12 | (values.sum(1) & 0x3FFF) << 18
    found[:, GROUP : GROUP + 4] = scales.astype(np.uint32).reshape(-1, 1).view(np.uint8)
    return found


def raw_activations(rng: Generator, op: Op) -> Bytes:
    """Words of a query's head, or of one byte of the weights of values: no scale, the values' sum."""
    values = rng.integers(0, 256, (op.groups * op.tokens, GROUP)).astype(np.uint8)
    values[rng.random(len(values)) < 0.2] = 255 if op.kind == VALUES else 127
    signed = values.astype(np.int64) if op.kind == VALUES else values.view(np.int8).astype(np.int64)
    found = np.zeros((len(values), 64), np.uint8)
    found[:, :GROUP] = values
    scales = 1 | (signed.sum(1) & 0x3FFF) << 18
    found[:, GROUP : GROUP + 4] = scales.astype(np.uint32).reshape(-1, 1).view(np.uint8)
    return found


def weights(rng: Generator, op: Op) -> Bytes:
    """One tile: a header for each weight group unless the op is raw, then the words of its planes."""
    if op.kind != 0:
        words = rng.integers(0, 256, (8 * op.groups, 64)).astype(np.uint8)
        words[rng.random(len(words)) < 0.3] = 255
        return words
    parts = []
    for _ in range(op.groups // op.weight_group):
        limit = 16 if op.planes == 1 else 2
        halves = rng.uniform(-limit, limit, 2 * ROWS) * 2.0 ** rng.choice([0, 0, -4, -14, -24], 2 * ROWS)
        if rng.random() < 0.3:
            halves = rng.choice([-1, 1]) * np.full(2 * ROWS, 0.999 * limit)
        parts.append(halves.astype(np.float16).view(np.uint8).reshape(1, 64))
        words = rng.integers(0, 256, (4 * op.weight_group * op.planes, 64)).astype(np.uint8)
        if rng.random() < 0.2:
            words[:] = 0xFF
        parts.append(words)
    return np.concatenate(parts)


def lane_case(
    name: str, token_lanes: int, at_once: int, chunk: int, ops: tuple[Op, ...], fabric: int = 0
) -> Case:
    """A lane of `token_lanes` token lanes, of which `fabric` multiply in LUTs, for weight groups of
    16 / at_once words or more."""
    passes, groups, words = -(-chunk // token_lanes), 128, 16 // at_once
    shape = LaneShape(columns=32 * groups, batch=chunk, token_lanes=token_lanes, min_words=words)
    return Case(
        name=name,
        module="lane_twin",
        parameters={
            **({"FABRIC": fabric} if fabric else {}),
            "TOKEN_LANES": token_lanes, "AT_ONCE": at_once, "PASSES": passes, "ACTS": groups * passes,
        },
        ports=(
            Port(name="desc", into_twin=True), Port(name="act", into_twin=True),
            Port(name="weights", into_twin=True, depth=32), Port(name="y", into_twin=False),
        ),
        call=f"stb::mac_lane<0, {32 * groups}, {chunk}, {token_lanes}, {words}, {fabric}>",
        traffic=lambda rng: lane_traffic(ops, rng),
        hardware=(*lane_hardware(shape, fabric), *raw_rows(shape)),
    )  # fmt: skip


LARGE_GROUPS = (
    Op(groups=128, weight_group=4, planes=1, tiles=5, tokens=1),
    Op(groups=128, weight_group=4, planes=1, tiles=7, tokens=1, load=False, base=1, channels=2, shift=50),
    Op(groups=16, weight_group=4, planes=2, tiles=3, tokens=1, shift=60),
    Op(groups=32, weight_group=4, planes=1, tiles=3, tokens=11),
    Op(groups=16, weight_group=4, planes=2, tiles=2, tokens=12, shift=58),
    Op(groups=32, weight_group=4, planes=1, tiles=2, tokens=2, shift=-1),
    Op(groups=2, weight_group=1, planes=2, tiles=9, tokens=3, shift=0, kind=KEYS),
    Op(groups=40, weight_group=1, planes=2, tiles=2, tokens=9, shift=0, kind=VALUES),
    Op(groups=40, weight_group=1, planes=2, tiles=1, tokens=9, shift=0, kind=VALUES, base=1, channels=2),
    Op(groups=24, weight_group=4, planes=1, tiles=3, tokens=2),
)
SMALL_GROUPS = (
    Op(groups=18, weight_group=1, planes=1, tiles=9, tokens=1),
    Op(groups=18, weight_group=1, planes=1, tiles=3, tokens=8, shift=48),
    Op(groups=18, weight_group=1, planes=2, tiles=2, tokens=4),
    Op(groups=18, weight_group=2, planes=1, tiles=2, tokens=4),
    Op(groups=2, weight_group=1, planes=2, tiles=9, tokens=3, shift=0, kind=KEYS),
    Op(groups=40, weight_group=1, planes=2, tiles=2, tokens=9, shift=0, kind=VALUES),
    Op(groups=40, weight_group=1, planes=2, tiles=1, tokens=9, shift=0, kind=VALUES, base=1, channels=2),
)
MIXED_GROUPS = (
    Op(groups=32, weight_group=4, planes=1, tiles=3, tokens=1),
    Op(groups=32, weight_group=4, planes=1, tiles=2, tokens=12, shift=50),
    Op(groups=18, weight_group=1, planes=2, tiles=2, tokens=8, shift=58),
    Op(groups=18, weight_group=2, planes=1, tiles=3, tokens=3),
    Op(groups=2, weight_group=1, planes=2, tiles=9, tokens=3, shift=0, kind=KEYS),
    Op(groups=40, weight_group=1, planes=2, tiles=2, tokens=9, shift=0, kind=VALUES),
)
LANE_CASES = (
    lane_case("lane_128", 3, 1, 12, LARGE_GROUPS),
    lane_case("lane_32", 3, 4, 12, SMALL_GROUPS),
    lane_case("lane_in_luts", 3, 2, 12, MIXED_GROUPS, fabric=1),
)
