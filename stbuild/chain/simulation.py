"""Runs the timed network of a design: how many cycles a decode step and a prefill take."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

from stbuild.chain.functions import process_functions
from stbuild.codegen.engine import ACT_FAN, MERGE, lanes_of
from stbuild.codegen.identifiers import with_identifiers
from stbuild.errors import StbuildError
from stbuild.ir.design import Design, KernelRole, StreamKind
from stbuild.ir.plumbing import ComputeUnit, ReadWeights
from stbuild.ir.program import Launch
from stbuild.platform import Platform
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import COUNT, HEAD, POSITION, TOKENS
from stbuild.timing.bandwidth import MemoryBandwidth, rates, supply_of
from stbuild.timing.bounds import engine_bound, launches, memory_bound, memory_bytes
from stbuild.timing.estimate import CycleEstimate, Engine, Step, Times
from stbuild.timing.twins import confirmed_functions

PROMPT = 128
"""Tokens of the prefill, or what the context leaves beside one to decode."""
DECODE, PREFILL, FIRST, LAST = "decode", "prefill", "decode, empty cache", "decode, full context"


def simulate(device: NativeDevice, design: Design, platform: Platform, prompt: int = PROMPT) -> CycleEstimate:
    """A prefill, the decode step behind it, and those at the two ends of the context, each once."""
    clock_mhz = round(device.clock_mhz) or design.sizes.clock_mhz
    supply = replace(supply_of(design, platform), clock_mhz=clock_mhz)
    found = control_rates(design, supply)
    set_bandwidth(device, found)
    set_latency(device, dict.fromkeys(found, supply.latency_cycles))
    context = design.sizes.context
    if context < 2:
        raise StbuildError("cycles need a context of 2 or more: a prompt, and a token to decode")
    prompt = min(prompt, context - 1)
    ways = {
        PREFILL: launches(prompt, design.sizes.chunk),
        DECODE: (Launch(tokens=1, position=prompt, head=True),),
        FIRST: (Launch(tokens=1, position=0, head=True),),
        LAST: (Launch(tokens=1, position=context - 1, head=True),),
    }
    first = {way: name for name, way in reversed(ways.items())}
    steps = {
        name: run_step(device, design, supply, name, way) for name, way in ways.items() if first[way] == name
    }
    return CycleEstimate(
        model=design.name,
        platform=platform.name,
        clock_mhz=supply.clock_mhz,
        bandwidth=supply.sentence(),
        steps=tuple(steps[name] for name in (DECODE, PREFILL, FIRST, LAST) if name in steps),
    )


def control_rates(design: Design, supply: MemoryBandwidth) -> dict[str, float]:
    """`rates` by the emulator's names of the processes."""
    named = with_identifiers(design)
    (control,) = (k for k in named.kernels if k.role is KernelRole.CONTROL)
    return {f"{control.units[0]}.{process}": rate for process, rate in rates(named, supply).items()}


def set_bandwidth(device: NativeDevice, bytes_per_cycle: dict[str, float]) -> None:
    """Give each process of `control` its bytes per cycle."""
    for process, rate in bytes_per_cycle.items():
        device.set(f"bytes_per_cycle.{process}", rate)


def set_latency(device: NativeDevice, cycles: dict[str, int]) -> None:
    """Give each process of `control` the cycles until the first word of a read, where there are any."""
    for process, count in cycles.items():
        if count:
            device.set(f"read_latency.{process}", count)


def run_step(
    device: NativeDevice, design: Design, supply: MemoryBandwidth, name: str, way: Sequence[Launch]
) -> Step:
    """Launch by launch; what processes did is added up."""
    seen = [run_launch(device, launch) for launch in way]
    return Step(
        name=name,
        tokens=sum(launch.tokens for launch in way),
        position=way[0].position,
        cycles=tuple(cycles for cycles, _, _ in seen),
        memory_bytes=sum(memory_bytes(design, launch) for launch in way),
        memory_bound=sum(ceil(memory_bound(design, supply, launch)) for launch in way),
        engine_bound=sum(engine_bound(design, launch) for launch in way),
        engine=engine_times(design, [p for _, p, _ in seen], [s for _, _, s in seen]),
        processes=process_times(process_groups(design), process_twins(design), [p for _, p, _ in seen]),
    )


def run_launch(device: NativeDevice, launch: Launch) -> tuple[int, Any, Any]:
    """Cycles, processes and streams of one launch of arbitrary tokens: no cycle depends on them."""
    tokens = device.buffer(TOKENS).view(np.int32)
    tokens[: launch.tokens] = np.arange(launch.tokens) % 2
    device.sync_to_device(TOKENS)
    device.launch({COUNT: launch.tokens, POSITION: launch.position, HEAD: int(launch.head)})
    cycles = device.cycles()
    if cycles == 0:
        raise StbuildError("the kernel image counts no cycles", hint="compile it with STB_TIMED=1")
    return cycles, json.loads(device.profile()), json.loads(device.streams())


def process_groups(design: Design) -> dict[str, str]:
    """The group of each of the emulator's processes that exists several times, such as lanes."""
    named = with_identifiers(design)
    groups = {}
    for process in named.processes:
        unit = named.unit_of(process)
        match process.op:
            case ComputeUnit(engine=engine, unit=number):
                found = lanes_of(named.engines[engine], number)
                lanes = dict.fromkeys((lane.process for lane in found), "lanes")
                parts = {**lanes, ACT_FAN: ACT_FAN, MERGE: MERGE}
                groups.update({f"{unit}.{part}": f"{engine} {group}" for part, group in parts.items()})
            case ReadWeights(engine=engine):
                groups[f"{unit}.{process.name}"] = f"{engine} weights"
    return groups


def process_twins(design: Design) -> dict[str, str]:
    """The twin of each of the emulator's processes that has one."""
    confirmed = confirmed_functions()
    functions = process_functions(design)
    return {process: confirmed[name] for process, name in functions.items() if name in confirmed}


def process_times(
    groups: Mapping[str, str], twins: Mapping[str, str], profiles: Sequence[Any]
) -> tuple[Times, ...]:
    """The sums over all launches, by process."""
    busy, data, space = (_sums(profiles, key) for key in ("busy", "data_wait", "space_wait"))
    return tuple(
        Times(
            name=n,
            group=groups.get(n, n),
            busy=busy[n],
            data_wait=data[n],
            space_wait=space[n],
            twin=twins.get(n, ""),
        )
        for n in sorted(busy)
    )


def engine_times(design: Design, profiles: Sequence[Any], streams: Sequence[Any]) -> Engine:
    """What the lanes of the matmul units did, as means over the lanes."""
    waited, worked = _sums(streams, "data_wait"), _sums(profiles, "busy")
    room = _sums(streams, "space_wait")
    named = with_identifiers(design)
    weights = [s.name for s in named.streams if s.kind is StreamKind.WEIGHTS]
    lanes = [
        (named.unit_of(process), lane)
        for process in named.processes
        if isinstance(process.op, ComputeUnit)
        for lane in lanes_of(named.engines[process.op.engine], process.op.unit)
    ]
    return Engine(
        weights_wait=_mean(waited[stream] for stream in weights),
        vectors_wait=_mean(waited[f"{u}.{lane.act}"] + waited[f"{u}.{lane.desc}"] for u, lane in lanes),
        results_wait=_mean(room[f"{u}.{lane.out}"] for u, lane in lanes),
        busy=_mean(worked[f"{u}.{lane.process}"] for u, lane in lanes),
    )


def _sums(rows: Sequence[Any], key: str) -> Counter[str]:
    return sum((Counter({each["name"]: each[key] for each in launch}) for launch in rows), Counter())


def _mean(values: Iterable[int]) -> int:
    found = tuple(values)
    return round(sum(found) / len(found))
