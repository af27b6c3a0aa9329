"""Who gets how much of the memory."""

from dataclasses import replace
from functools import cache

import pytest

from stbuild.ir.design import Design
from stbuild.ir.plumbing import ReadKv, ReadWeights
from stbuild.ir.program import Launch
from stbuild.platform import Source
from stbuild.timing.bandwidth import rates, supply_of
from stbuild.timing.bounds import memory_bound, memory_bytes
from tests.accelerator import platform
from tests.golden.designs import Planned, traced
from tests.models import tiny_llama

BANK = 13.3e9 / 250e6


@cache
def design(card: str) -> Design:
    return Planned.of(traced(tiny_llama(), "tiny_llama"), card).design


def rate_of(kind: type, found: dict[str, float], planned: Design) -> set[float]:
    """The rates of all processes of one kind."""
    return {found[p.name] for p in planned.processes if isinstance(p.op, kind)}


def test_a_weight_channel_has_its_bank_to_itself() -> None:
    planned = design("u280")
    found = rates(planned, supply_of(planned, platform("u280")))
    (rate,) = rate_of(ReadWeights, found, planned) | rate_of(ReadKv, found, planned)
    assert rate == pytest.approx(BANK)


def test_weight_channels_in_one_bank_share_it_by_their_bytes() -> None:
    planned = design("u280")
    second = replace(
        planned.region("weights_1"), first=0, last=0, bytes=3 * planned.region("weights_0").bytes
    )
    regions = tuple(second if r.name == "weights_1" else r for r in planned.regions)
    found = rates(replace(planned, regions=regions), supply_of(planned, platform("u280")))
    assert found["read_weights_0"] == pytest.approx(BANK / 4)
    assert found["read_weights_1"] == pytest.approx(3 * BANK / 4)
    assert found["read_weights_2"] == pytest.approx(BANK)


def test_interleaved_banks_are_shared_by_all_weight_channels() -> None:
    planned, card = design("vck5000"), platform("vck5000")
    found = rates(planned, supply_of(planned, card))
    streamed = sum(found[p.name] for p in planned.processes if isinstance(p.op, ReadWeights))
    assert streamed == pytest.approx(4 * card.memory.gbs_per_bank * 1e9 / 250e6)
    assert rate_of(ReadKv, found, planned) == {64.0}


def test_the_bound_of_interleaved_banks_is_all_bytes_over_all_bandwidth() -> None:
    planned, card = design("vck5000"), platform("vck5000")
    launch = Launch(tokens=1, position=9, head=True)
    bandwidth = 4 * card.memory.gbs_per_bank * 1e9 / 250e6
    bound = memory_bound(planned, supply_of(planned, card), launch)
    assert bound == pytest.approx(memory_bytes(planned, launch) / bandwidth)
    assert bound > sum(r.bytes for r in planned.regions if r.name.startswith("weights_")) / bandwidth


def test_the_sentence_says_whose_figure_it_is() -> None:
    planned, card = design("u280"), platform("u280")
    assert supply_of(planned, card).sentence() == (
        "13.3 GB/s a bank (measured: Shuhai, arXiv 2005.04324: 425 GB/s over 32 channels); "
        "142.2 ns to a first word (AMD PG276, as quoted in public material: 128 clocks of 900 MHz across "
        "the switch, page closed)"
    )
    unmeasured = replace(card.memory, measured_gbs_per_bank=None, sources=_without(card.memory.sources))
    assert (
        "14.375 GB/s a bank (peak, nobody measured it: AMD UG1393"
        in replace(supply_of(planned, card), memory=unmeasured).sentence()
    )


def test_latency_is_whole_cycles_of_the_kernels_clock_or_told_to_be_left_out() -> None:
    assert supply_of(design("u280"), platform("u280")).latency_cycles == 36
    silent = supply_of(design("vck5000"), platform("vck5000"))
    assert silent.latency_cycles == 0
    assert silent.sentence().endswith("; latency left out: no figure was found")


def _without(sources: tuple[Source, ...]) -> tuple[Source, ...]:
    return tuple(s for s in sources if s.of != ("measured_gbs_per_bank",))
