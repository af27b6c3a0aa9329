"""A decoder of one layer on two lanes: in the timed network, and with its twins under Verilator."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.twins.composition.hybrid import TIMED, Memory, compile_hybrid, twins_of
from stbuild.chain.simulation import control_rates, set_bandwidth, set_latency
from stbuild.package.bundle import load_bundle
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import Session
from stbuild.timing.bandwidth import supply_of
from tests.accelerator import Accelerator, accelerate, platform
from tests.models import decoder

CARD = "u55c"
LEAST, MOST = 36, 100
"""Cycles until a burst's first word comes from HBM; the timed network takes their mean."""
SLOW = 64 / 5
"""Bytes a cycle of a sink that takes a word in five."""
SINKS = ("control.write_kv", "control.write_logits", "control.write_token")
TOKENS = tuple((5 * i * i + 3) % 61 for i in range(18))
CHUNKS = (8, 8, 1, 1)
"""A prompt in two launches, then two tokens one by one, all in the first block of the cache: a lane's twin
multiplies no keys and values yet."""


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a device said after each launch: the greedy token, the logits, the last cycle of each process."""

    greedy: list[int]
    logits: list[NDArray[np.int32]]
    ends: list[dict[str, int]]


def tiny(folder: Path) -> Accelerator:
    """The decoder's timed network: two lanes of one unit, groups of 32 columns, a chunk of eight tokens."""
    model = decoder(layers=1, width=64, ffn=96, heads=2, kv_heads=1, head_dim=64, rotary_dim=64)
    return accelerate(model, folder, card=CARD, defines=(TIMED,), channels=2, lanes=2, chunk=8, token_lanes=3)


def hybrid(accelerator: Accelerator, folder: Path) -> Path:
    """The image in which twins run under Verilator."""
    rate = max(_rates(accelerator).values())
    return compile_hybrid(accelerator.design, folder, Memory(least=LEAST, most=MOST, bytes_per_cycle=rate))


def timed_device(accelerator: Accelerator, *, slow: bool = False) -> NativeDevice:
    """The timed network, with the mean latency of memory."""
    device = NativeDevice(load_bundle(accelerator.bundle))
    _set_memory(device, accelerator, slow=slow, asked=frozenset())
    return device


def hybrid_device(accelerator: Accelerator, image: Path, *, slow: bool = False) -> NativeDevice:
    """The same with twins: what a twin of a read port is asked for waits there, not in the network."""
    device = NativeDevice(load_bundle(accelerator.bundle), image)
    found = twins_of(accelerator.design)
    for each in found:
        if not each.memory:
            device.set(f"outside.{each.process}", 1)
    _set_memory(device, accelerator, slow=slow, asked=frozenset(e.process for e in found if e.memory))
    return device


def play(
    device: NativeDevice,
    accelerator: Accelerator,
    tokens: Sequence[int] = TOKENS,
    chunks: Sequence[int] = CHUNKS,
) -> Played:
    """Takes in tokens, launch by launch."""
    session = Session(device, load_bundle(accelerator.bundle).manifest.model)
    played, at = Played(greedy=[], logits=[], ends=[]), 0
    for size in chunks:
        played.greedy.append(session.prefill(tokens[at : at + size]))
        played.logits.append(session.logits())
        played.ends.append({each["name"]: each["end"] for each in json.loads(device.profile())})
        at += size
    return played


def _rates(accelerator: Accelerator) -> dict[str, float]:
    supply = supply_of(accelerator.design, platform(CARD))
    return control_rates(accelerator.design, supply)


def _set_memory(device: NativeDevice, accelerator: Accelerator, *, slow: bool, asked: frozenset[str]) -> None:
    rates = _rates(accelerator)
    found = {name: min(rate, SLOW) if slow and name in SINKS else rate for name, rate in rates.items()}
    set_bandwidth(device, {name: rate for name, rate in found.items() if name not in asked})
    set_latency(device, {name: (LEAST + MOST) // 2 for name in rates if name not in asked})
