"""Launches of dispatch and of a unit's fan: ops that load, ops that go on, keys and values."""

import numpy as np

from benchmarks.twins.comparison import Case, Generator, Traffic
from benchmarks.twins.lane_case import KEYS, VALUES, Op, activations
from benchmarks.twins.verilated import Bytes, Port
from stbuild.resources.plumbing import dispatch_hardware, fan_hardware

SOURCES, UNITS, UNIT_LANES, GROUPS = 4, 3, 9, 64
FAN_LANES = 4


def _op(groups: int, tiles: int, tokens: int, source: int = 0, **more: int) -> Op:
    return Op(
        groups=groups, weight_group=1, planes=2, tiles=tiles, tokens=tokens, source=source,
        channels=more.get("channels", UNITS * UNIT_LANES), base=more.get("base", 0),
        kind=more.get("kind", 0), load=bool(more.get("load", 1)),
    )  # fmt: skip


OPS = (
    _op(18, 36, 1),
    _op(18, 12, 1, load=0, base=5),
    _op(2, 8, 3, source=1, kind=KEYS, base=9),
    _op(40, 4, 9, source=2, kind=VALUES, base=26),
    _op(64, 40, 3, source=3, base=7),
    _op(1, 40, 8, source=0, base=7),
    _op(7, 40, 8, source=1, kind=KEYS, base=3),
)
"""What dispatch takes in a launch."""
FAN_OPS = (
    _op(18, 36, 1, channels=12),
    _op(18, 12, 1, load=0, base=5, channels=12),
    _op(2, 3, 3, kind=KEYS, base=1, channels=12),
    _op(40, 2, 9, kind=VALUES, base=11, channels=12),
    _op(40, 2, 3, kind=VALUES, base=6, channels=12),
    _op(20, 12, 8, base=7, channels=12),
    _op(8, 14, 9, kind=KEYS, base=3, channels=12),
)
"""What the fan of the first of three units takes."""


def vectors(rng: Generator, op: Op) -> Bytes:
    """The words of an op as their source gives them: quantised groups, heads, or bytes of weights."""
    words = np.zeros((op.groups * op.tokens, 64), np.uint8)
    words[:, :32] = rng.integers(0, 256, (len(words), 32))
    if op.kind == VALUES:
        words[rng.random(len(words)) < 0.2, :32] = 255
        return words
    words[:, :32][words[:, :32] == 128] = 127
    if op.kind == 0:
        words[:, 32] = rng.integers(128, 256, len(words))
        words[:, 33] = rng.integers(0, 25, len(words)) >> rng.integers(0, 3, len(words))
    return words


def joined(words: list[Bytes]) -> Bytes:
    """Words behind each other, none if there are none."""
    return np.concatenate([np.zeros((0, 64), np.uint8), *words])


def dispatched(rng: Generator) -> Traffic:
    """Vectors from each source; descriptors to the collector and all units, activations to all units."""
    end: Bytes = np.zeros((1, 64), np.uint8)
    descriptors = joined([*(op.descriptor() for op in OPS), end])
    loads = [op for op in OPS if op.load]
    sources = [joined([vectors(rng, op) for op in loads if op.source == s]) for s in range(SOURCES)]
    acts = sum(op.groups * op.tokens for op in loads)
    return Traffic(
        inputs=(descriptors, *sources), outputs=(len(descriptors), *(len(descriptors), acts) * UNITS)
    )


def fanned(rng: Generator) -> Traffic:
    """Activations to all lanes, those of keys and values to the lanes that have tiles."""
    end: Bytes = np.zeros((1, 64), np.uint8)
    descriptors = joined([*(op.descriptor() for op in FAN_OPS), end])
    loads = [op for op in FAN_OPS if op.load]
    counts = [
        sum(op.groups * op.tokens for op in loads if op.kind == 0 or op.in_channel(lane) > 0)
        for lane in range(FAN_LANES)
    ]
    acts = joined([activations(rng, op.groups * op.tokens) for op in loads])
    lanes = [count for acts_of in counts for count in (len(descriptors), acts_of)]
    return Traffic(inputs=(descriptors, acts), outputs=(len(descriptors), *lanes))


def _into(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name=name, into_twin=True) for name in names)


def _out(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name=name, into_twin=False) for name in names)


def _pairs(count: int) -> tuple[Port, ...]:
    return _out(*(f"{kind}{i}" for i in range(count) for kind in ("desc", "act")))


DISPATCH = Case(
    name="dispatch",
    module="dispatch_twin",
    parameters={"GROUPS": GROUPS, "UNIT_LANES": UNIT_LANES},
    ports=(
        *_into("desc"),
        *(Port(name=f"s{i}", into_twin=True, bus="s", index=i) for i in range(SOURCES)),
        *_out("collect"),
        *_pairs(UNITS),
    ),
    call=f"stb::dispatch<{SOURCES}, stb::UnitLanes<{UNIT_LANES}, {UNIT_LANES}, {UNIT_LANES}>, {32 * GROUPS}>",
    traffic=dispatched,
    hardware=dispatch_hardware(sources=SOURCES, groups=GROUPS),
)
FAN = Case(
    name="fan",
    module="fan_twin",
    parameters={},
    ports=(*_into("desc", "act"), *_out("merge_desc"), *_pairs(FAN_LANES)),
    call=f"stb::act_fan<{FAN_LANES}>",
    traffic=fanned,
    hardware=fan_hardware(FAN_LANES),
)
