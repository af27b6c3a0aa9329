"""The memory manager: every buffer to its banks, every compute unit to its SLR."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from stbuild.errors import StbuildError
from stbuild.ir.design import WORD_BYTES, Design, ReadKv, ReadParams, ReadWeights, Region, Sequence
from stbuild.ir.graph import Embed, Graph, PositionEmbed
from stbuild.ir.types import words_of
from stbuild.passes.records import rows_of
from stbuild.platform import Memory, Platform

ALIGN = 4096
"""Bytes that a buffer's address is a multiple of, as XRT allocates."""
TOKENS_PER_WORD = 16


@dataclass(frozen=True, kw_only=True)
class PlaceMemory:
    """Weight channel c to bank c; everything else one behind the other in the banks left over."""

    name: ClassVar[str] = "place-memory"
    graph: Graph
    platform: Platform

    def __call__(self, design: Design) -> Design:
        memory = self.platform.memory
        regions = (*_weight_regions(design), *_shared_regions(design, self.graph))
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
        count = len(self.platform.slrs)
        home = self.platform.memory.slr_of(0)
        others = [s.index for s in self.platform.slrs if s.index != home]
        segments = [k.name for k in design.kernels if k.name not in ("control", "router", "matmul")]
        seats = {name: others[i % len(others)] for i, name in enumerate(segments)}
        seats.update(control=home, router=home)
        kernels = tuple(
            replace(k, slrs=tuple(u % count for u in range(len(k.units))))
            if k.name == "matmul"
            else replace(k, slrs=(seats[k.name],))
            for k in design.kernels
        )
        return replace(design, kernels=kernels)


def _weight_regions(design: Design) -> Iterator[Region]:
    for process in design.processes:
        if isinstance(process.op, ReadWeights):
            words = process.op.body_words + process.op.head_words
            name = f"weights_{process.op.channel}"
            bank = process.op.channel
            yield Region(name=name, bytes=max(words, 1) * WORD_BYTES, port=name, first=bank, last=bank)


def _shared_regions(design: Design, graph: Graph) -> Iterator[Region]:
    chunk = design.sizes.chunk
    yield _region("program", design.program_words, "program")
    yield _region("tokens", -(-chunk // TOKENS_PER_WORD), "program")
    for process in design.processes:
        match process.op:
            case Sequence():
                for row in process.op.rows:
                    yield _region(row.region, row.words * _row_count(row.region, graph), "program")
            case ReadParams():
                words = sum(r.words * design.blocks[r.block].count for r in process.op.reads)
                yield _region("params", words, "params")
            case ReadKv():
                words = design.blocks[process.op.block].count * design.sizes.context * process.op.record_words
                yield _region(process.op.region, words, process.op.region, writable=True)
    yield _region("logits", words_of(design.vocab_size), "program", writable=True)
    yield _region("token", 1, "params", writable=True)


def _row_count(region: str, graph: Graph) -> int:
    """Rows of an embedding, or positions of a table."""
    for block in graph.blocks:
        for op in block.ops:
            if isinstance(op, Embed | PositionEmbed) and f"{block.name}_{op.name}" == region:
                return len(rows_of(op, graph))
    return graph.context


def _region(name: str, words: int, port: str, writable: bool = False) -> Region:
    return Region(name=name, bytes=words * WORD_BYTES, port=port, writable=writable)


def _banked(regions: tuple[Region, ...], design: Design, memory: Memory, platform: Platform
            ) -> Iterator[Region]:  # fmt: skip
    bank = memory.bytes_per_bank
    weights = [r for r in regions if r.name == r.port and r.name.startswith("weights_")]
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
    spare = (memory.banks - design.sizes.channels) * bank
    _check_total(tuple(others), design, spare, platform)
    address = design.sizes.channels * bank
    for region in others:
        end = address + region.bytes
        yield replace(region, first=address // bank, last=(end - 1) // bank)
        address = -(-end // ALIGN) * ALIGN


def size_text(size: int) -> str:
    """`3.21 GiB`, or a smaller unit where that would be next to nothing."""
    units = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
    name, unit = next((u for u in units if size >= u[1]), units[-1])
    return f"{size / unit:.2f} {name}"


def _check_total(regions: tuple[Region, ...], design: Design, room: int, platform: Platform) -> None:
    """Refuse what does not fit, saying how much is missing and which context would fit."""
    need = sum(-(-r.bytes // ALIGN) * ALIGN for r in regions)
    if need <= room:
        return
    kv = sum(r.bytes for r in regions if "_kv_" in r.name)
    fits = (room - need + kv) * design.sizes.context // max(kv, 1)
    hint = f"a context of {fits // 32 * 32} would fit" if fits >= 32 else "no context would fit"
    raise StbuildError(
        f"{design.name} with a context of {design.sizes.context} needs {size_text(need)} on "
        f"{platform.name} beside its weight banks, which leaves {size_text(room)} "
        f"(KV cache {size_text(kv)})",
        hint=hint,
    )
