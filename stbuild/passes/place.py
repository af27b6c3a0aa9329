"""The memory manager: every buffer to its banks, every compute unit to its SLR."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.design import WORD_BYTES, Design, Kernel, KernelRole, Region, RegionKind
from stbuild.ir.plumbing import ReadKv, ReadParams, ReadWeights, Sequence, WriteWords
from stbuild.platform import Memory, Platform

ALIGN = 4096
"""Bytes that a buffer's address is a multiple of, as XRT allocates."""
TOKENS_PER_WORD = 16
PROGRAM, PARAMS = "program", "params"
"""The memory ports of `control` beside those of the weights and the KV records."""


@dataclass(frozen=True, kw_only=True)
class PlaceMemory:
    """Weight channel c to bank c; everything else one after the other in the remaining banks."""

    name: ClassVar[str] = "place-memory"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        memory = self.platform.memory
        regions = (*_weight_regions(design), *_shared_regions(design))
        if len(memory.tags) == 1:
            _check_total(regions, design, memory.total_bytes, self.platform)
            return replace(design, regions=regions)
        return replace(design, regions=tuple(_banked(regions, design, memory, self.platform)))


@dataclass(frozen=True, kw_only=True)
class PlaceKernels:
    """One matmul unit per SLR; control and router beside the memory, the segments spread over the rest."""

    name: ClassVar[str] = "place-kernels"
    platform: Platform

    def __call__(self, design: Design) -> Design:
        if not self.platform.has_slrs:
            return design
        home = self.platform.memory.slr_of(0)
        others = [s.index for s in self.platform.slrs if s.index != home]
        segments = [k.name for k in design.kernels if k.role is KernelRole.SEGMENT]
        seats = {name: others[i % len(others)] for i, name in enumerate(segments)}
        kernels = tuple(replace(k, slrs=self._slrs(k, seats.get(k.name, home))) for k in design.kernels)
        return replace(design, kernels=kernels)

    def _slrs(self, kernel: Kernel, seat: int) -> tuple[int, ...]:
        if kernel.role is KernelRole.MATMUL:
            return tuple(u % len(self.platform.slrs) for u in range(len(kernel.units)))
        return (seat,)


def _weight_regions(design: Design) -> Iterator[Region]:
    readers = [p.op for p in design.processes if isinstance(p.op, ReadWeights)]
    for bank, op in enumerate(readers):
        words = max(op.body_words + op.head_words, 1)
        region = _region(op.region, RegionKind.WEIGHTS, words, op.region)
        yield replace(region, first=bank, last=bank)


def _shared_regions(design: Design) -> Iterator[Region]:
    """Everything but weights: what `control` reads in the order of its processes, then what it writes."""
    for process in design.processes:
        match process.op:
            case Sequence():
                yield from _sequenced(process.op, design)
            case ReadParams():
                words = sum(r.words * design.blocks[r.block].count for r in process.op.reads)
                yield _region(process.op.region, RegionKind.PARAMS, words, PARAMS)
            case ReadKv():
                op = process.op
                words = design.blocks[op.block].count * design.sizes.context * op.record_words
                yield _region(op.region, RegionKind.KV, words, op.region, writable=True)
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
    weights = [r for r in regions if r.kind is RegionKind.WEIGHTS]
    heaviest = max(weights, key=lambda r: r.bytes)
    if heaviest.bytes > bank:
        raise StbuildError(
            f"{design.name} does not fit {platform.name}: {heaviest.name} needs "
            f"{size_text(heaviest.bytes)}, a memory bank holds {size_text(bank)}",
            hint=f"{size_text(sum(r.bytes for r in weights))} of weights; "
            f"the {len(weights)} weight banks hold {size_text(len(weights) * bank)}",
        )
    yield from weights
    others = [r for r in regions if r not in weights]
    spare = (memory.banks - len(weights)) * bank
    _check_total(tuple(others), design, spare, platform)
    address = len(weights) * bank
    for region in others:
        end = address + region.bytes
        yield replace(region, first=address // bank, last=(end - 1) // bank)
        address = -(-end // ALIGN) * ALIGN


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
