"""Launches of the collector and of a merger: results of two units, or of two lanes of one."""

import numpy as np

from benchmarks.twins.comparison import Case, Generator, Traffic
from benchmarks.twins.lane_case import VALUES, Op
from benchmarks.twins.verilated import Bytes, Port
from stbuild.resources.plumbing import collect_hardware, merge_hardware

LANES, CHUNK, MAX_TILES = 2, 8, 96
CHANNELS = 2 * LANES
OPS = tuple(
    Op(
        groups=8,
        weight_group=4,
        planes=1,
        tiles=tiles,
        tokens=tokens,
        base=base,
        channels=CHANNELS,
        source=where,
    )
    for tiles, tokens, base, where in (
        (96, 1, 0, 0),
        (96, 8, 3, 1),
        (37, 1, 2, 1),
        (50, 3, 1, 0),
        (1, 1, 0, 0),
    )
)
VALUE_TILES, VALUE_BASE = 4, 3


def parts(rows: int, where: int) -> tuple[Op, ...]:
    """The ops of a head's values that meet so many rows."""
    return tuple(
        Op(
            groups=2,
            weight_group=1,
            planes=2,
            tiles=VALUE_TILES,
            tokens=min(CHUNK, rows - first),
            base=VALUE_BASE,
            channels=CHANNELS,
            source=where,
            kind=VALUES,
            part_follows=first + CHUNK < rows,
        )
        for first in range(0, rows, CHUNK)
    )


COLLECTED = (*OPS, *parts(27, 0), *OPS[:1], *parts(9, 1), *parts(16, 0), *parts(5, 1))
"""Also ops in parts, the last of which has few rows, one, or as many as the others."""


def collected(rng: Generator) -> Traffic:
    """Random results, in the order in which the channels of each unit give them."""
    counts, given = [0, 0], [0, 0]
    for op in COLLECTED:
        for tile in range(op.tiles):
            counts[(op.base + tile) % CHANNELS // LANES] += op.tokens
        given[op.source] += op.tiles * op.tokens
    results = [rng.integers(0, 256, (count, 64)).astype(np.uint8) for count in counts]
    descriptors: list[Bytes] = [*(op.descriptor() for op in COLLECTED), np.zeros((1, 64), np.uint8)]
    return Traffic(inputs=(np.concatenate(descriptors), *results), outputs=(given[0], given[1]))


COLLECT = Case(
    name="collect",
    module="collect_twin",
    parameters={"LANES": LANES, "CHUNK": CHUNK, "MAX_TILES": MAX_TILES},
    ports=(
        Port(name="desc", into_twin=True),
        Port(name="r0", into_twin=True),
        Port(name="r1", into_twin=True),
        Port(name="y0", into_twin=False, bus="y", index=0),
        Port(name="y1", into_twin=False, bus="y", index=1),
    ),
    call=f"stb::collect<stb::UnitLanes<{LANES}, {LANES}>, 2, {CHUNK}, {MAX_TILES}>",
    traffic=collected,
    hardware=collect_hardware(units=2, words=CHUNK * MAX_TILES),
)


def merged(rng: Generator) -> Traffic:
    """The results of the two lanes of unit 0."""
    counts = [0, 0]
    for op in OPS:
        for tile in range(op.tiles):
            channel = (op.base + tile) % CHANNELS
            if channel < LANES:
                counts[channel] += op.tokens
    results = [rng.integers(0, 256, (count, 64)).astype(np.uint8) for count in counts]
    descriptors: list[Bytes] = [*(op.descriptor() for op in OPS), np.zeros((1, 64), np.uint8)]
    return Traffic(inputs=(np.concatenate(descriptors), *results), outputs=(sum(counts),))


MERGE = Case(
    name="merge",
    module="merge_twin",
    parameters={},
    ports=(
        Port(name="desc", into_twin=True),
        Port(name="r0", into_twin=True),
        Port(name="r1", into_twin=True),
        Port(name="y", into_twin=False),
    ),
    call=f"stb::merge<{LANES}>",
    traffic=merged,
    hardware=merge_hardware(LANES),
)
