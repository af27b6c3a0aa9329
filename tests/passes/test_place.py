"""Memory: weights first, each channel in its bank, everything else behind; refusals with figures."""

from dataclasses import replace

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, Region, RegionKind
from stbuild.ir.plumbing import ReadKv, ReadWeights, WriteKv
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.place import PlaceMemory
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import platform
from tests.golden.designs import project_graph, synthetic_index, with_layers
from tests.passes.designs import design_of
from tests.reference.small import Variant

FULL = Variant(scaled=True, positions=True, head_norm=True)


def regions(design: Design, kind: RegionKind) -> list[Region]:
    return [r for r in design.regions if r.kind is kind]


def channels(design: Design) -> list[Region]:
    """The weights of each channel, and its part of the KV cache."""
    readers = [p.op for p in design.processes if isinstance(p.op, ReadWeights)]
    return [r for r in design.regions for op in readers if r.name in (op.region, op.kv)]


def test_each_weight_channel_has_its_bank() -> None:
    design = design_of(FULL)
    weights = regions(design, RegionKind.WEIGHTS)
    assert [(r.first, r.last) for r in weights] == [(c, c) for c in range(4)]
    readers = [p.op for p in design.processes if isinstance(p.op, ReadWeights)]
    assert [r.name for r in weights] == [op.region for op in readers]
    assert [r.bytes for r in weights] == [64 * (op.body_words + op.head_words) for op in readers]


def test_everything_else_lies_behind_the_weights() -> None:
    design = design_of(FULL)
    others = [r for r in design.regions if r not in channels(design)]
    assert all(4 <= r.first <= r.last < platform("u55c").memory.banks for r in others)


def test_a_large_region_takes_the_banks_that_it_needs() -> None:
    design, card = design_of(FULL), platform("u55c")
    context = card.memory.bytes_per_bank // 64
    placed = PlaceMemory(platform=card)(replace(design, sizes=replace(design.sizes, context=context)))
    others = [r for r in placed.regions if r not in channels(placed)]
    for region in others:
        assert region.last - region.first >= region.bytes // card.memory.bytes_per_bank
    addresses = [r.first for r in others]
    assert addresses == sorted(addresses)


def test_what_is_no_weight_lies_in_the_first_bank_where_all_are_interleaved() -> None:
    design = design_of(FULL, "vck5000")
    others = [r for r in design.regions if r not in channels(design)]
    assert {(r.first, r.last) for r in others} == {(0, 0)}


FULL_MEMORY = {
    "u55c": r"context of 268435456 does not fit u55c: .* a memory bank holds 512.00 MiB \(KV cache ",
    "vck5000": r"fit vck5000: everything in memory needs .*, the card's memory has 12.00 GiB \(KV cache ",
}


@pytest.mark.parametrize("card", ["u55c", "vck5000"])
def test_a_cache_that_is_too_large_is_told_with_the_context_that_fits(card: str) -> None:
    design = design_of(FULL)
    huge = replace(design, sizes=replace(design.sizes, context=2**28))
    with pytest.raises(StbuildError, match=FULL_MEMORY[card]) as refused:
        PlaceMemory(platform=platform(card))(huge)
    hint = str(refused.value.hint)
    fits = int(hint.split()[3])
    place = PlaceMemory(platform=platform(card))
    assert place(replace(design, sizes=replace(design.sizes, context=fits))).regions
    with pytest.raises(StbuildError, match="KV cache"):
        place(replace(design, sizes=replace(design.sizes, context=fits + fits // 100 + 64)))


def test_weights_that_overrun_a_bank_are_named() -> None:
    design = design_of(FULL)
    full = platform("u55c").memory.bytes_per_bank // 64
    processes = tuple(
        replace(p, op=replace(p.op, body_words=full)) if isinstance(p.op, ReadWeights) else p
        for p in design.processes
    )
    with pytest.raises(StbuildError, match=r"does not fit u55c: weights_0 and kv_0 need .*, a memory bank"):
        PlaceMemory(platform=platform("u55c"))(replace(design, processes=processes))


@pytest.mark.parametrize("card", ["u55c", "vck5000"])
def test_weights_of_more_than_the_card_are_told_before_any_fifo_is(card: str) -> None:
    """160 layers of Llama-2-7B: it was its FIFOs that were told, with the advice to take a smaller chunk."""
    graph = FixNumerics()(replace(with_layers(project_graph("llama2_7b"), 160), name="many"))
    with pytest.raises(StbuildError, match=rf"many does not fit {card}: .* (has|holds) ") as refused:
        plan(graph, synthetic_index(graph, 128), platform(card), SizeOverrides())
    assert str(refused.value.hint).startswith("16.16 GiB of weights in all; the card has ")


def test_every_kv_region_is_read_and_written() -> None:
    design = design_of(FULL)
    channels = {p.op.kv for p in design.processes if isinstance(p.op, ReadWeights)}
    (read,) = ({p.op.region} | channels for p in design.processes if isinstance(p.op, ReadKv))
    (written,) = (p.op.region for p in design.processes if isinstance(p.op, WriteKv))
    assert written in read
    assert read == {r.name for r in regions(design, RegionKind.KV)}
    assert all(r.writable for r in regions(design, RegionKind.KV))
