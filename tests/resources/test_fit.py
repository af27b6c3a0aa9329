"""A design fits its card, or it is said what does not, where, by how much, and what would."""

from dataclasses import replace

import pytest

from stbuild.errors import StbuildError
from stbuild.ir.design import Design, KernelRole, RegionKind, StreamKind
from stbuild.ir.graph import Graph
from stbuild.passes.judge_fit import judge_fit
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.sizes import SizeOverrides
from stbuild.platform import Limits, Platform, Slr, Source
from stbuild.resources.fit import Fit, Use, fit_of, limit_of, slr_usage
from stbuild.resources.report import resource_data, resource_report
from stbuild.resources.usage import RowKind, memory_ports, usage_of
from stbuild.resources.wires import AXI_READ, crossings, wires_between
from tests.accelerator import platform
from tests.golden.designs import project_graph, synthetic_index
from tests.passes.designs import design_of, graph_of, index_of
from tests.reference.small import Variant

FULL = Variant(scaled=True, positions=True, head_norm=True, center=True, bias=True)
U55C = platform("u55c")


def judged(design: Design, card: Platform = U55C) -> Fit:
    """The judgement of a placed design."""
    return fit_of(design, card, usage_of(design, card))


def with_limits(share: float, dsp_share: float) -> Platform:
    """A U55C of which a plan may fill less, or more."""
    source = Source(of=("share", "dsp_share"), text="a test")
    return replace(U55C, limits=Limits(share=share, dsp_share=dsp_share, sources=(source,)))


@pytest.fixture(scope="module")
def llama() -> Graph:
    return FixNumerics()(project_graph("llama2_7b"))


@pytest.mark.parametrize("card", ["u55c", "u280", "vck5000"])
def test_llama_fits_with_the_sizes_that_are_chosen(llama: Graph, card: str) -> None:
    index = synthetic_index(llama, 128)
    design = plan(llama, index, platform(card), SizeOverrides())
    assert judge_fit(llama, index, platform(card), design).fit.fits
    assert design.engines[0].channels == {"u55c": 29, "u280": 27, "vck5000": 4}[card]


def test_a_llama_that_does_not_fit_is_refused_with_what_would(llama: Graph) -> None:
    """The sizes of the first machine: too many LUTs, where dots lie since the DSPs are too few."""
    index = synthetic_index(llama, 128)
    too_large = SizeOverrides(channels=24, lanes=8, token_lanes=4, chunk=8)
    design = plan(llama, index, U55C, too_large)
    worst = judged(design).passed[0]
    assert "LUT" in {use.resource for use in judged(design).passed}
    with pytest.raises(StbuildError) as refused:
        judge_fit(llama, index, U55C, design)
    assert f"llama2_7b would not fit the card: {worst}" in str(refused.value)
    hint = str(refused.value.hint)
    assert hint.startswith("these sizes would fit: channels: ")
    words = hint.removeprefix("these sizes would fit: ").split(", ")
    sizes = {name: int(value) for name, value in (word.split(": ") for word in words)}
    assert judged(plan(llama, index, U55C, SizeOverrides(**sizes))).fits


def test_fifos_beyond_all_memory_are_refused_with_what_would_fit() -> None:
    """They are not proved, which would take minutes, but refused as any other size."""
    graph = graph_of(FULL)
    sizes = SizeOverrides(channels=4, lanes=2, chunk=32, token_lanes=1)
    few = replace(U55C, slrs=tuple(_without_uram(slr) for slr in U55C.slrs))
    design = plan(graph, index_of(graph), few, sizes)
    assert "KiB of FIFOs" in {use.resource for use in judged(design, few).passed}
    with pytest.raises(StbuildError, match=r"small would not fit the card: ") as refused:
        judge_fit(graph, index_of(graph), few, design)
    assert str(refused.value.hint).startswith(("these sizes would fit: channels: ", "no choice of channels"))


def _without_uram(slr: Slr) -> Slr:
    return replace(slr, available=replace(slr.available, uram=0, bram36=20))


def test_sizes_that_a_project_sets_stay(llama: Graph) -> None:
    index = synthetic_index(llama, 128)
    (engine,) = plan(llama, index, U55C, SizeOverrides(channels=20, token_lanes=1)).engines
    assert (engine.channels, engine.token_lanes) == (20, 1)


def test_a_small_design_fits() -> None:
    fit = judged(design_of(FULL))
    assert fit.fits
    assert fit.sentence.startswith("fits the card; the fullest is ")


def test_a_limit_that_is_passed_is_named_with_its_place() -> None:
    card = with_limits(0.001, 0.88)
    fit = judged(design_of(FULL), card)
    over = {(use.place, use.resource) for use in fit.passed}
    assert ("SLR0", "LUT") in over
    assert not any(resource == "DSP" for _, resource in over)
    for use in fit.passed:
        if use.resource == "LUT":
            assert use.limit == int(0.001 * U55C.slrs[int(use.place[3:])].available.lut)


def test_wires_and_ports_have_limits_of_their_own() -> None:
    design = design_of(FULL)
    assert U55C.sll is not None
    narrow = replace(U55C, sll=replace(U55C.sll, planning=100), axi=replace(U55C.axi, limit=3))
    passed = {use.resource: use for use in judged(design, narrow).passed}
    assert passed["memory ports"].used == len(memory_ports(design)) > 3
    assert passed["wires"].limit == 100


def test_what_is_used_is_the_sum_of_the_rows_and_of_the_shell() -> None:
    design = design_of(FULL)
    rows = usage_of(design, U55C)
    total = sum(fabric.lut for fabric in slr_usage(design, U55C, rows))
    banks = len({bank for r in design.regions for bank in range(r.first, r.last + 1)})
    assert total == sum(row.cost.lut for row in rows) + banks * U55C.memory.bank_cost.lut


def test_the_memory_subsystem_counts_where_the_memory_is() -> None:
    design = design_of(FULL)
    bare, shell = (
        slr_usage(design, replace(U55C, memories=(replace(U55C.memory, bank_cost=cost),)), ())
        for cost in (U55C.memory.bank_cost * 0, U55C.memory.bank_cost)
    )
    assert [b.lut < s.lut for b, s in zip(bare, shell, strict=True)] == [True, False, False]


def test_every_process_stream_and_port_has_a_row() -> None:
    design = design_of(FULL)
    rows = usage_of(design, U55C)
    names = {kind: [row.name for row in rows if row.kind is kind] for kind in RowKind}
    assert names[RowKind.PROCESS] == [p.name for p in design.processes]
    assert names[RowKind.FIFO] == [s.name for s in design.streams]
    assert names[RowKind.MEMORY_PORT] == list(memory_ports(design))
    outer = [s for s in design.streams if s.storage is None]
    assert len(names[RowKind.PORT]) == 2 * len(outer)


def test_wires_are_words_and_handshakes() -> None:
    design = design_of(FULL)
    streams = [s for s in design.streams if s.storage is None]
    commands = sum(s.kind is StreamKind.COMMAND for s in streams)
    commands = sum(s.kind is StreamKind.COMMAND for s in streams)
    assert sum(wires_between(design).values()) == 66 * commands + 514 * (len(streams) - commands)


def test_control_beside_another_slr_pays_for_its_memory_ports() -> None:
    design = design_of(FULL)
    together = tuple(replace(k, slrs=tuple(0 for _ in k.slrs)) for k in design.kernels)
    apart = tuple(replace(k, slrs=(2,)) if k.role is KernelRole.CONTROL else k for k in together)
    at_home, moved = replace(design, kernels=together), replace(design, kernels=apart)
    assert crossings(at_home, 0, 3) == (0, 0)
    weights = sum(r.kind is RegionKind.WEIGHTS for r in design.regions)
    assert min(crossings(moved, 0, 3)) > weights * AXI_READ


def test_a_card_of_one_die_is_one_place() -> None:
    card = platform("vck5000")
    fit = judged(design_of(FULL, "vck5000"), card)
    assert {use.place for use in fit.uses} == {"vck5000"}
    assert limit_of(card, 0, "dsp") == int(0.88 * 1968)


def test_the_report_says_what_and_how_sure() -> None:
    design = design_of(FULL)
    rows, fit = usage_of(design, U55C), judged(design)
    over = replace(fit, uses=(*fit.uses, Use(place="SLR1", resource="URAM", used=300, limit=200)))
    text = resource_report(design.name, U55C, over, rows)
    assert "modelled" in text
    assert U55C.slrs[0].source_of("available").text in text
    assert "would not fit the card: URAM of SLR1: 300 of 200 (modelled)" in text
    assert "50 % too much" in text
    assert _adds_up(resource_report(design.name, U55C, fit, rows), fit)
    data = resource_data(over, rows)
    assert data["fits"] is False
    assert len(data["rows"]) == len(rows)
    assert {row["kind"] for row in data["rows"]} == {kind.value for kind in RowKind}


def _adds_up(text: str, fit: Fit) -> bool:
    """The LUTs of the units, the shell's with them, are those of the SLRs."""
    _, _, table = text.partition("by compute unit")
    rows = table.partition("by kind")[0].splitlines()[1:]
    luts = sum(int(row[32:].split()[0].replace(",", "")) for row in rows if row)
    return luts == sum(round(use.used) for use in fit.uses if use.resource == "LUT")


def test_a_design_of_which_nothing_fits_says_so() -> None:
    graph = graph_of(FULL)
    design = design_of(FULL)
    with pytest.raises(Exception, match=r"would not fit the card: LUT of SLR0") as refused:
        judge_fit(graph, index_of(graph), with_limits(0.001, 0.88), design)
    hint = str(getattr(refused.value, "hint", ""))
    assert hint.startswith("no choice of channels, lanes")
    largest = max(usage_of(design, with_limits(0.001, 0.88)), key=lambda row: row.cost.lut)
    assert f"; most LUT: {largest.name} {largest.cost.lut:,.0f}, " in hint


def test_the_figures_of_a_u280_are_said_to_be_those_of_an_older_shell() -> None:
    assert "OLDER shell" in platform("u280").slrs[0].source_of("available").text
