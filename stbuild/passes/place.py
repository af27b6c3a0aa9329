"""The memory manager: every buffer to its banks."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.design import WORD_BYTES, Design, Region, RegionKind
from stbuild.ir.plumbing import (
    ReadKv,
    ReadParams,
    ReadWeights,
    Sequence,
    WriteWords,
)
from stbuild.passes.room import Lack, aligned, banks_of, lack_of, largest, size_text, split
from stbuild.platform import Memory, Platform

TOKENS_PER_WORD = 16
PROGRAM, PARAMS, KV = "program", "params", "kv"
"""The memory ports of `control` beside those of the channels; stbuild/limits.py counts them."""


@dataclass(frozen=True, kw_only=True)
class PlaceMemory:
    """Weight channel c, with its part of the KV cache, to bank c; everything else to the remaining banks.

    Raises StbuildError where the memory holds less: with the context that would fit, if one would.
    """

    name: ClassVar[str] = "place-memory"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        regions = regions_of(design)
        lacking = lack_of(regions, self.platform)
        if lacking is not None:
            raise self._refused(design, lacking)
        if len(self.platform.memory.tags) == 1:
            return replace(design, regions=regions)
        return replace(design, regions=tuple(_banked(regions, self.platform.memory)))

    def _refused(self, design: Design, lacking: Lack) -> StbuildError:
        fits = largest(design.sizes.context, lambda context: self._holds(design, context))
        total = self.platform.memory.total_bytes
        verb = "need" if " and " in lacking.what else "needs"
        lack = f"{lacking.what} {verb} {size_text(lacking.need)}, {lacking.place} {size_text(lacking.room)}"
        if fits is None and (lacking.channel or lacking.weights > total):
            size = f"{size_text(lacking.weights)} of weights in all"
            return StbuildError(
                f"{design.name} does not fit {self.platform.name}: {lack}",
                hint=f"{size}; the card has {size_text(total)}" if lacking.weights > total else size,
            )
        return StbuildError(
            f"{design.name} with a context of {design.sizes.context} does not fit {self.platform.name}: "
            f"{lack} (KV cache {size_text(lacking.cached)})",
            hint="no context would fit" if fits is None else f"a context of {fits} would fit",
        )

    def _holds(self, design: Design, context: int) -> bool:
        shorter = replace(design, sizes=replace(design.sizes, context=context))
        return lack_of(regions_of(shorter), self.platform) is None


def regions_of(design: Design) -> tuple[Region, ...]:
    """What lies in memory, the channels in front; what has no bank yet is in bank 0."""
    return (*_channel_regions(design), *_shared_regions(design))


def _channel_regions(design: Design) -> Iterator[Region]:
    """Weights of channel c, and its part of the KV cache, to bank c."""
    readers = [p.op for p in design.processes if isinstance(p.op, ReadWeights)]
    for bank, op in enumerate(readers):
        words = max(op.body_words + op.head_words, 1)
        weights = replace(_region(op.region, RegionKind.WEIGHTS, words, op.region), first=bank, last=bank)
        yield weights
        if op.kv:
            words = sum(design.layout(a).words for a in design.attentions if a.engine == op.engine)
            size = words * WORD_BYTES
            yield replace(weights, name=op.kv, kind=RegionKind.KV, bytes=size, writable=True, write_port=KV)


def _shared_regions(design: Design) -> Iterator[Region]:
    """Everything but channels: what `control` reads in the order of its processes, then what it writes."""
    for process in design.processes:
        match process.op:
            case Sequence():
                yield from _sequenced(process.op, design)
            case ReadParams():
                words = sum(r.words * design.blocks[r.block].count for r in process.op.reads)
                yield _region(process.op.region, RegionKind.PARAMS, words, PARAMS)
            case ReadKv():
                words = sum(design.layout(op).shared_words for op in design.attentions)
                yield _region(process.op.region, RegionKind.KV, words, KV, writable=True)
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


def _banked(regions: tuple[Region, ...], memory: Memory) -> Iterator[Region]:
    channels, others = split(regions)
    yield from channels
    address = banks_of(channels) * memory.bytes_per_bank
    for region in others:
        end = address + region.bytes
        yield replace(region, first=address // memory.bytes_per_bank, last=(end - 1) // memory.bytes_per_bank)
        address = aligned(end)
