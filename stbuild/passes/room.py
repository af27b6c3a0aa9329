"""Whether the regions of a design fit into a memory."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from stbuild.ir.design import Region, RegionKind
from stbuild.platform import Platform

ALIGN = 4096
"""Bytes that a buffer's address is a multiple of, as XRT allocates."""
STEP = 32
"""Contexts are told in steps of so many positions."""


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What needs `need` bytes where `place` [...] `room` bytes; `cached` of these are keys and values.

    `channel`: it is one weight channel and its bank. `weights` are the bytes of all weights.
    """

    what: str
    place: str
    need: int
    room: int
    cached: int
    weights: int
    channel: bool = False


def split(regions: tuple[Region, ...]) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """Those of the weight channels, which have their banks, and the others."""
    channels = tuple(r for r in regions if _of_channel(r))
    return channels, tuple(r for r in regions if not _of_channel(r))


def _of_channel(region: Region) -> bool:
    return region.kind is RegionKind.WEIGHTS or region.write_port != ""


def aligned(size: int) -> int:
    """`size` bytes up to where the next buffer can begin."""
    return -(-size // ALIGN) * ALIGN


def banks_of(channels: tuple[Region, ...]) -> int:
    """The banks that the weight channels take."""
    return len({region.first for region in channels})


def lack_of(regions: tuple[Region, ...], platform: Platform) -> Lack | None:
    """What does not fit, if anything: all where banks are interleaved, else a channel, then the rest."""
    memory = platform.memory
    if len(memory.tags) == 1:
        return _lack("everything in memory", "the card's memory has", regions, memory.total_bytes, regions)
    channels, others = split(regions)
    taken = Counter[int]()
    for region in channels:
        taken[region.first] += aligned(region.bytes)
    fullest, _ = taken.most_common(1)[0]
    here = tuple(r for r in channels if r.first == fullest)
    names = " and ".join(r.name for r in here)
    found = _lack(names, "a memory bank holds", here, memory.bytes_per_bank, regions, channel=True)
    spare = (memory.banks - len(taken)) * memory.bytes_per_bank
    return found or _lack("all but the weight channels", "the other banks hold", others, spare, regions)


def _lack(
    what: str, place: str, here: tuple[Region, ...], room: int, regions: tuple[Region, ...],
    channel: bool = False,
) -> Lack | None:  # fmt: skip
    need = sum(aligned(r.bytes) for r in here)
    if need <= room:
        return None
    return Lack(
        what=what, place=place, need=need, room=room, channel=channel,
        cached=sum(r.bytes for r in regions if r.kind is RegionKind.KV),
        weights=sum(r.bytes for r in regions if r.kind is RegionKind.WEIGHTS),
    )  # fmt: skip


def largest(most: int, holds: Callable[[int], bool]) -> int | None:
    """The largest multiple of 32 up to `most` that `holds`, which all smaller ones do; None if none does."""
    low, high = 0, most // STEP
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(STEP * middle) else (low, middle - 1)
    return STEP * low or None


def size_text(size: int) -> str:
    """`3.21 GiB`, or a smaller unit for a small size."""
    units = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
    name, unit = next((u for u in units if size >= u[1]), units[-1])
    return f"{size / unit:.2f} {name}"
