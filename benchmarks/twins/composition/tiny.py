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
from stbuild.runtime.session import COUNT, HEAD, LOGITS, POSITION, TOKEN, Session
from stbuild.runtime.session import TOKENS as TOKEN_IDS
from stbuild.timing.bandwidth import supply_of
from tests.accelerator import Accelerator, accelerate, platform
from tests.models import decoder

CARD = "u55c"
LEAST, MOST = 36, 100
"""Cycles until a burst's first word comes from HBM; the timed network takes their mean."""
SLOW = 64 / 50
"""Bytes a cycle of a sink that takes a word in 50: the writes of a full block's keys and values wait."""
SINKS = ("control.write_kv", "control.write_logits", "control.write_token")
TOKENS = tuple((5 * i * i + 3) % 61 for i in range(41))
LAUNCHES = ((0, 8), (24, 8), (32, 8), (40, 1))
"""First position and tokens: an empty cache, a block of it that becomes full, a part of a prompt and a token
behind that block, whose keys and values the lanes multiply."""
SLOW_LAUNCHES = ((24, 8), (32, 1))


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


def play(device: NativeDevice, accelerator: Accelerator, launches: Sequence[tuple[int, int]]) -> Played:
    """Takes in tokens, launch by launch; the timed network takes in those between two launches."""
    played, at = Played(greedy=[], logits=[], ends=[]), 0
    for position, count in launches:
        if position != at:
            _take_in(device, accelerator, position)
        at = position + count
        device.buffer(TOKEN_IDS).view(np.int32)[:count] = TOKENS[position:at]
        device.sync_to_device(TOKEN_IDS)
        device.launch({COUNT: count, POSITION: position, HEAD: 1})
        played.greedy.append(int(_result(device, TOKEN)[0]))
        played.logits.append(_result(device, LOGITS)[: accelerator.design.vocab_size].copy())
        played.ends.append({each["name"]: each["end"] for each in json.loads(device.profile())})
    return played


def _take_in(device: NativeDevice, accelerator: Accelerator, count: int) -> None:
    """The cache of the first `count` tokens, from the timed network."""
    bundle, timed = load_bundle(accelerator.bundle), timed_device(accelerator)
    Session(timed, bundle.manifest.model).prefill(TOKENS[:count])
    for each in bundle.manifest.buffers:
        if each.writable:
            timed.sync_from_device(each.buffer)
            device.buffer(each.buffer)[:] = timed.buffer(each.buffer)
            device.sync_to_device(each.buffer)


def _result(device: NativeDevice, name: str) -> NDArray[np.int32]:
    device.sync_from_device(name)
    return device.buffer(name).view(np.int32)


def _rates(accelerator: Accelerator) -> dict[str, float]:
    supply = supply_of(accelerator.design, platform(CARD))
    return control_rates(accelerator.design, supply)


def _set_memory(device: NativeDevice, accelerator: Accelerator, *, slow: bool, asked: frozenset[str]) -> None:
    rates = _rates(accelerator)
    found = {name: min(rate, SLOW) if slow and name in SINKS else rate for name, rate in rates.items()}
    set_bandwidth(device, {name: rate for name, rate in found.items() if name not in asked})
    set_latency(device, {name: (LEAST + MOST) // 2 for name in rates if name not in asked})
