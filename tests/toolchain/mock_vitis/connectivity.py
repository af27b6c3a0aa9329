"""Checks a link configuration against compiled kernels and a card, as v++ would, and gives the network."""

import re
from dataclasses import dataclass
from typing import Any

from tests.toolchain.mock_vitis.options import Refused

_SP = re.compile(r"(\w+)\.(\w+):(\w+)(?:\[(\d+)(?::(\d+))?\])?$")
_SC = re.compile(r"(\w+)\.(\w+):(\w+)\.(\w+)(?::(\d+))?$")
DEFAULT_DEPTH = 16


@dataclass(frozen=True)
class End:
    """A stream port of a compute unit."""

    unit: str
    port: str


@dataclass(frozen=True)
class Connection:
    """A stream between two units."""

    source: End
    sink: End
    depth: int


@dataclass
class System:
    """What was linked: the kernel of each unit, the streams, and the banks of each pointer."""

    units: dict[str, str]
    streams: list[Connection]
    banks: dict[tuple[str, str], tuple[str, int, int]]
    slrs: dict[str, str]
    clock_mhz: float


def check(lines: list[tuple[str, str, str]], kernels: dict[str, Any], card: dict[str, Any]) -> System:
    """The system, or the first thing that v++ would refuse."""
    values = [(key, value) for section, key, value in lines if section in ("", "connectivity")]
    of = {key: [v for k, v in values if k == key] for key, _ in values}
    system = System(units={}, streams=[], banks={}, slrs={}, clock_mhz=_clock(of, card))
    for value in of.get("nk", []):
        _units(value, kernels, system)
    for name in kernels.keys() - set(system.units.values()):
        system.units[f"{name}_1"] = name
    for value in of.get("slr", []):
        _slr(value, system, card)
    for value in of.get("sp", []):
        _sp(value, kernels, system, card)
    for value in [*of.get("sc", []), *of.get("stream_connect", [])]:
        _sc(value, kernels, system)
    _all_connected(kernels, system)
    _ports(kernels, system, card)
    return system


def _clock(of: dict[str, list[str]], card: dict[str, Any]) -> float:
    asked = of.get("kernel_frequency", [])
    if not asked:
        return float(card["default_mhz"])
    number, _, mhz = asked[-1].rpartition(":")
    if number not in ("", "0", "1") or not mhz.isdigit():
        raise Refused("CFGEN 83-2243", f"Malformed kernel_frequency {asked[-1]!r}")
    return float(mhz)


def _units(value: str, kernels: dict[str, Any], system: System) -> None:
    name, count, *names = re.split(r"[:]", value)
    units = [each for part in names for each in re.split(r"[.,]", part)]
    if name not in kernels:
        raise Refused("MOCK 10", f"nk={value}: no kernel {name!r} was given")
    if not count.isdigit() or len(units) != int(count):
        raise Refused("MOCK 11", f"nk={value}: {count} units, {len(units)} names")
    for unit in units:
        if unit in system.units:
            raise Refused("MOCK 12", f"nk={value}: unit {unit!r} is named twice")
        system.units[unit] = name


def _slr(value: str, system: System, card: dict[str, Any]) -> None:
    unit, _, slr = value.partition(":")
    if unit not in system.units:
        raise Refused("MOCK 13", f"slr={value}: no unit {unit!r}")
    if card["slrs"] < 2 or slr not in [f"SLR{i}" for i in range(card["slrs"])]:
        raise Refused("MOCK 14", f"slr={value}: the platform has no {slr}")
    if unit in system.slrs:
        raise Refused("MOCK 15", f"slr={value}: the unit has an SLR already")
    system.slrs[unit] = slr


def _sp(value: str, kernels: dict[str, Any], system: System, card: dict[str, Any]) -> None:
    found = _SP.match(value)
    unit, argument = (found[1], found[2]) if found else ("", "")
    if found is None or unit not in system.units or argument not in _pointers(kernels, system, unit):
        raise Refused("CFGEN 83-2292", f"--sp tag applied to an invalid port or argument name: {value}")
    tag, first, last = found[3], found[4], found[5] or found[4]
    if tag not in card["memories"]:
        raise Refused("MOCK 16", f"sp={value}: the platform has no memory {tag}")
    banks = card["memories"][tag]
    low, high = int(first or 0), int(last or 0)
    if (first is None) != (banks == 0) or low > high or high >= max(1, banks):
        raise Refused("MOCK 17", f"sp={value}: {tag} has {banks} banks")
    if (unit, argument) in system.banks:
        raise Refused("MOCK 18", f"sp={value}: the argument has a memory already")
    system.banks[unit, argument] = (tag, low, high)


def _sc(value: str, kernels: dict[str, Any], system: System) -> None:
    found = _SC.match(value)
    if found is None:
        raise Refused("MOCK 20", f"sc={value}: not source.port:sink.port[:depth]")
    ends = (End(found[1], found[2]), End(found[3], found[4]))
    for end in ends:
        if end.unit not in system.units or end.port not in _streams(kernels, system, end.unit):
            raise Refused("MOCK 21", f"sc={value}: {end.unit} has no stream port {end.port}")
        if any(end in (each.source, each.sink) for each in system.streams):
            raise Refused("MOCK 22", f"sc={value}: {end.unit}.{end.port} is connected already")
    depth = int(found[5]) if found[5] else DEFAULT_DEPTH
    if depth < 16 or depth & (depth - 1):
        raise Refused("MOCK 23", f"sc={value}: the depth of a stream is a power of two from 16, not {depth}")
    kinds = [_streams(kernels, system, end.unit)[end.port] for end in ends]
    if kinds[0] != kinds[1]:
        raise Refused("MOCK 24", f"sc={value}: {kinds[0]} is joined with {kinds[1]}")
    system.streams.append(Connection(*ends, depth))


def _all_connected(kernels: dict[str, Any], system: System) -> None:
    joined = {end for each in system.streams for end in (each.source, each.sink)}
    for unit in system.units:
        for port in _streams(kernels, system, unit):
            if End(unit, port) not in joined:
                raise Refused(
                    "CFGEN 83-2284",
                    f'No stream resources found that can accomodate compute unit "{unit}.{port}"',
                )
        for argument in _pointers(kernels, system, unit):
            if (unit, argument) not in system.banks:
                raise Refused("MOCK 19", f"{unit}.{argument} has no sp")


def _ports(kernels: dict[str, Any], system: System, card: dict[str, Any]) -> None:
    """Every m_axi bundle of every unit is a port, whose arguments lie in one memory."""
    memories: dict[tuple[str, str], set[str]] = {}
    for (unit, argument), (tag, _, _) in system.banks.items():
        bundle = _pointers(kernels, system, unit)[argument]
        memories.setdefault((unit, bundle), set()).add(tag)
    for tags in memories.values():
        if len(tags) > 1:
            told = ", ".join(sorted(tags))
            raise Refused(
                "CFGEN 83-2229", f"Failed to find single interface to reach all segments in {{{told}}}"
            )
    if len(memories) > card["axi_ports"]:
        raise Refused("MOCK 25", f"{len(memories)} memory ports, the platform has {card['axi_ports']}")


def _pointers(kernels: dict[str, Any], system: System, unit: str) -> dict[str, str]:
    found: dict[str, str] = kernels[system.units[unit]]["pointers"]
    return found


def _streams(kernels: dict[str, Any], system: System, unit: str) -> dict[str, str]:
    found: dict[str, str] = kernels[system.units[unit]]["streams"]
    return found
