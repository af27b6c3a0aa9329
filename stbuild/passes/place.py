"""The memory manager: every buffer to its banks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.design import WORD_BYTES, Design, Region, RegionKind
from stbuild.ir.plumbing import ReadKv, ReadKvScales, ReadParams, ReadWeights, Sequence, WriteWords
from stbuild.ir.schedule import KvMatmul
from stbuild.platform import Memory, Platform

ALIGN = 4096
"""Bytes that a buffer's address is a multiple of, as XRT allocates."""
TOKENS_PER_WORD = 16
PROGRAM, PARAMS, KV = "program", "params", "kv"
"""The memory ports of `control` beside those of the channels; the last for records, scales and new tiles."""


@dataclass(frozen=True, kw_only=True)
class PlaceMemory:
    """Weight channel c, with its part of the KV cache, to bank c; everything else to the remaining banks."""

    name: ClassVar[str] = "place-memory"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        memory = self.platform.memory
        regions = (*_channel_regions(design), *_shared_regions(design))
        if len(memory.tags) == 1:
            _check_total(regions, design, memory.total_bytes, self.platform)
            return replace(design, regions=regions)
        return replace(design, regions=tuple(_banked(regions, design, memory, self.platform)))


def _channel_regions(design: Design) -> Iterator[Region]:
    """Weights of channel c, and its part of the KV cache, to bank c."""
    readers = [p.op for p in design.processes if isinstance(p.op, ReadWeights)]
    for bank, op in enumerate(readers):
        words = max(op.body_words + op.head_words, 1)
        weights = replace(_region(op.region, RegionKind.WEIGHTS, words, op.region), first=bank, last=bank)
        yield weights
        if op.kv is not None:
            yield replace(
                weights, name=op.kv, kind=RegionKind.KV, bytes=_cache_words(op, design) * WORD_BYTES,
                writable=True, write_port=KV,
            )  # fmt: skip


def _cache_words(op: ReadWeights, design: Design) -> int:
    """Words of each channel of an engine for the full blocks of all attention ops."""
    ops = design.engine_ops(op.engine)
    return sum(design.layout(cached).words for cached in ops if isinstance(cached, KvMatmul))


def _shared_regions(design: Design) -> Iterator[Region]:
    """Everything but channels: what `control` reads in the order of its processes, then what it writes."""
    for process in design.processes:
        match process.op:
            case Sequence():
                yield from _sequenced(process.op, design)
            case ReadParams():
                words = sum(r.words * design.blocks[r.block].count for r in process.op.reads)
                yield _region(process.op.region, RegionKind.PARAMS, words, PARAMS)
            case ReadKv() as op:
                words = design.blocks[op.block].count * design.sizes.context * op.record_words
                yield _region(op.region, RegionKind.KV, words, KV, writable=True)
            case ReadKvScales() as op:
                words = design.layout(design.attention(op.op, op.block)).scale_words
                yield _region(op.region, RegionKind.KV, words, KV, writable=True)
    for process in design.processes:
        if isinstance(process.op, WriteWords):
            kind, port = (RegionKind.TOKEN, PARAMS) if process.op.token else (RegionKind.LOGITS, PROGRAM)
            yield _region(process.op.region, kind, process.op.words, port, writable=True)


def _sequenced(op: Sequence, design: Design) -> Iterator[Region]:
    for engine, region in enumerate(op.programs):
        yield _region(region, RegionKind.PROGRAM, design.program_words(engine), PROGRAM)
    yield _region(op.tokens, RegionKind.TOKENS, -(-design.sizes.chunk // TOKENS_PER_WORD), PROGRAM)
    for row in op.rows:
        yield _region(row.region, RegionKind.ROWS, row.words * row.rows * len(row.tables), PROGRAM)


def _region(name: str, kind: RegionKind, words: int, port: str, writable: bool = False) -> Region:
    return Region(name=name, kind=kind, bytes=words * WORD_BYTES, port=port, writable=writable)


def _banked(regions: tuple[Region, ...], design: Design, memory: Memory, platform: Platform
            ) -> Iterator[Region]:  # fmt: skip
    bank = memory.bytes_per_bank
    channels = [r for r in regions if r.kind is RegionKind.WEIGHTS or r.write_port]
    taken = Counter[int]()
    for region in channels:
        taken[region.first] += -(-region.bytes // ALIGN) * ALIGN
    _check_banks(taken, channels, design, platform)
    yield from channels
    others = [r for r in regions if r not in channels]
    spare = (memory.banks - len(taken)) * bank
    _check_total(tuple(others), design, spare, platform)
    address = len(taken) * bank
    for region in others:
        end = address + region.bytes
        yield replace(region, first=address // bank, last=(end - 1) // bank)
        address = -(-end // ALIGN) * ALIGN


def _check_banks(taken: Counter[int], channels: list[Region], design: Design, platform: Platform) -> None:
    """Refuse a channel whose weights and part of the KV cache are more than a bank."""
    bank = platform.memory.bytes_per_bank
    fullest, need = taken.most_common(1)[0]
    if need <= bank:
        return
    here = [r for r in channels if r.first == fullest]
    cached = sum(r.bytes for r in here if r.kind is RegionKind.KV)
    weights = sum(r.bytes for r in channels if r.kind is RegionKind.WEIGHTS)
    raise StbuildError(
        f"{design.name} does not fit {platform.name}: {' and '.join(r.name for r in here)} need "
        f"{size_text(need)}, a memory bank holds {size_text(bank)}",
        hint=f"{size_text(weights)} of weights; the {len(taken)} weight banks hold "
        f"{size_text(len(taken) * bank)}"
        + (f"; a context of {design.sizes.context} takes {size_text(cached)} of each" if cached else ""),
    )


def size_text(size: int) -> str:
    """`3.21 GiB`, or a smaller unit for a small size."""
    units = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
    name, unit = next((u for u in units if size >= u[1]), units[-1])
    return f"{size / unit:.2f} {name}"


def _check_total(regions: tuple[Region, ...], design: Design, room: int, platform: Platform) -> None:
    """Refuse what does not fit, saying how much is missing and which context would fit."""
    need = sum(-(-r.bytes // ALIGN) * ALIGN for r in regions)
    if need <= room:
        return
    kv = sum(r.bytes for r in regions if r.kind is RegionKind.KV)
    fits = (room - need + kv) * design.sizes.context // max(kv, 1)
    hint = f"a context of {fits // 32 * 32} would fit" if fits >= 32 else "no context would fit"
    raise StbuildError(
        f"{design.name} with a context of {design.sizes.context} needs {size_text(need)} on "
        f"{platform.name} beside its weight banks, which leaves {size_text(room)} "
        f"(KV cache {size_text(kv)})",
        hint=hint,
    )
