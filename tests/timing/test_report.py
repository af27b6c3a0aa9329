"""The report of a cycle estimate and the closing line of its build."""

from dataclasses import replace

import pytest

from stbuild.timing.estimate import CycleEstimate, Engine, Step, Times
from stbuild.timing.report import estimate_report, speed_line
from tests.golden_fixture import Golden

LANES = tuple(
    Times(name=name, group="lanes", busy=600_000 - k, data_wait=390_000, space_wait=10_000)
    for k, name in enumerate(("matmul_0.mac_lane_0", "matmul_0.mac_lane_1", "any"))
)
ATTENTION = Times(
    name="layers_attention.layers_attention", group="own", busy=250_000, data_wait=700_000, space_wait=0
)
DECODE = Step(
    name="decode",
    tokens=1,
    position=128,
    cycles=(1_000_000,),
    memory_bytes=640_000_000,
    memory_bound=800_000,
    engine_bound=590_000,
    engine=Engine(weights_wait=140_000, vectors_wait=250_000, results_wait=10_000, busy=600_000),
    processes=(ATTENTION, *LANES),
)
PREFILL = Step(
    name="prefill",
    tokens=16,
    position=0,
    cycles=(1_500_000, 2_500_000),
    memory_bytes=1_280_000_000,
    memory_bound=1_600_000,
    engine_bound=2_000_000,
    engine=Engine(weights_wait=0, vectors_wait=2_000_000, results_wait=0, busy=2_000_000),
    processes=(ATTENTION, *LANES),
)
ESTIMATE = CycleEstimate(
    model="toy",
    platform="u280",
    clock_mhz=250,
    bandwidth="13.3 GB/s a bank (measured: somebody)",
    steps=(DECODE, PREFILL),
)


def test_the_report(golden: Golden) -> None:
    golden.check("timing/report.txt", estimate_report(ESTIMATE))


def test_work_without_a_twin_has_a_share() -> None:
    assert DECODE.modelled_share == 1
    confirmed = replace(DECODE, processes=(ATTENTION, *(replace(lane, twin="lane_twin") for lane in LANES)))
    assert confirmed.modelled_share == pytest.approx(250_000 / (250_000 + 600_000))
    assert "lane_twin" in estimate_report(replace(ESTIMATE, steps=(confirmed,)))


def test_the_closing_line_carries_the_label() -> None:
    assert speed_line(ESTIMATE, DECODE, PREFILL) == (
        "250.0 tok/s decode (1,000,000 cycles), 1000.0 tok/s prefill of 16 tokens (4,000,000 cycles) "
        "at 250 MHz on u280; simulated, 100 % of the decode step's work modelled (no RTL twin)"
    )


def test_the_closing_line_says_that_a_clock_is_beyond_what_loops_are_made_for() -> None:
    assert " MHz on u280; " in speed_line(ESTIMATE, DECODE, DECODE)
    faster = replace(ESTIMATE, clock_mhz=400)
    assert "at 400 MHz (target; loops are made for 250 MHz, " in speed_line(faster, DECODE, DECODE)
