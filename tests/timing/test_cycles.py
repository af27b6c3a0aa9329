"""Cycles of the time-stamped network of a small model: repeatable, bound by memory, blind to the tokens."""

import json
from pathlib import Path

import numpy as np
import pytest

from stbuild.chain.simulation import (
    DECODE,
    FIRST,
    LAST,
    PREFILL,
    control_rates,
    run_launch,
    set_bandwidth,
    set_latency,
    simulate,
)
from stbuild.ir import serde
from stbuild.ir.plumbing import ReadWeights
from stbuild.ir.program import Launch
from stbuild.runtime.devices.native import NativeDevice
from stbuild.runtime.session import COUNT, HEAD, POSITION, TOKENS
from stbuild.timing.bandwidth import supply_of
from stbuild.timing.bounds import engine_bound, launches, memory_bound
from stbuild.timing.estimate import CycleEstimate
from tests.accelerator import Accelerator, accelerate, platform
from tests.models import tiny_llama

DECODE_STEP = Launch(tokens=1, position=9, head=True)

LANE_DEPTH, MOVE_DEPTH = 34, 2
"""Stages of a lane's loop, and of the one that stores activations: lane.hpp and depths.hpp of hls_lib."""


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Accelerator:
    folder = tmp_path_factory.mktemp("timed")
    return accelerate(
        tiny_llama(), folder, defines=("STB_TIMED=1",), context=32, channels=2, lanes=1, chunk=4
    )


@pytest.fixture
def device(card: Accelerator) -> NativeDevice:
    device = card.device()
    set_bandwidth(device, control_rates(card.design, supply_of(card.design, platform("u55c"))))
    return device


def cycles_at(device: NativeDevice, card: Accelerator, bytes_per_cycle: float) -> int:
    """Cycles of a decode step whose weight channels get `bytes_per_cycle` each."""
    readers = [f"control.{p.name}" for p in card.design.processes if isinstance(p.op, ReadWeights)]
    set_bandwidth(device, dict.fromkeys(readers, bytes_per_cycle))
    return run_launch(device, DECODE_STEP)[0]


def test_the_timed_network_gives_the_reference_s_bits(card: Accelerator) -> None:
    card.check((3, 5, 7, 9, 11, 2, 1, 4, 60), (4, 4, 1))


def test_an_estimate_comes_out_the_same_again(card: Accelerator) -> None:
    first, second = (simulate(card.device(), card.design, platform("u280"), 10) for _ in range(2))
    assert first == second
    assert [len(s.cycles) for s in first.steps] == [1, 3, 1, 1]
    assert first.step(DECODE).position == first.step(PREFILL).tokens == 10


@pytest.mark.parametrize(("prompt", "names"), [(31, [DECODE, PREFILL, FIRST]), (1, [DECODE, PREFILL, LAST])])
def test_no_step_is_simulated_twice(card: Accelerator, prompt: int, names: list[str]) -> None:
    estimate = simulate(card.device(), card.design, platform("u280"), prompt)
    assert [step.name for step in estimate.steps] == names


def test_an_estimate_survives_its_file(card: Accelerator, tmp_path: Path) -> None:
    estimate = simulate(card.device(), card.design, platform("vck5000"), 4)
    serde.write(tmp_path / "cycles.json", estimate)
    assert serde.read(CycleEstimate, tmp_path / "cycles.json") == estimate
    assert json.loads((tmp_path / "cycles.json").read_text())["label"] == "simulated"


def test_no_step_is_faster_than_its_bounds(card: Accelerator) -> None:
    for step in simulate(card.device(), card.design, platform("u55c"), 16).steps:
        assert step.total >= step.bound > 0


def test_half_the_bandwidth_of_a_memory_bound_design_is_twice_the_cycles(
    device: NativeDevice, card: Accelerator
) -> None:
    fast, slow, slower = (cycles_at(device, card, rate) for rate in (2.0, 1.0, 0.5))
    assert slower - slow == pytest.approx(2 * (slow - fast), rel=0.01)
    assert 1.85 < slower / slow <= 2


def test_a_launch_waits_for_the_first_words_of_what_nothing_hides(
    device: NativeDevice, card: Accelerator
) -> None:
    """Token, embedding row, table row and program follow each other before the engine starts."""
    names = control_rates(card.design, supply_of(card.design, platform("u55c")))
    without = run_launch(device, DECODE_STEP)[0]
    set_latency(device, dict.fromkeys(names, 1000))
    assert run_launch(device, DECODE_STEP)[0] - without >= 3000


def test_cycles_do_not_depend_on_tokens(device: NativeDevice) -> None:
    tokens = device.buffer(TOKENS).view(np.int32)
    found = set()
    for ids in ((1, 2, 3, 4), (60, 0, 33, 33), (63, 63, 63, 63)):
        tokens[:4] = ids
        device.sync_to_device(TOKENS)
        device.launch({COUNT: 4, POSITION: 8, HEAD: 1})
        found.add(device.cycles())
    assert len(found) == 1


def test_a_process_works_or_waits_until_its_end(device: NativeDevice) -> None:
    cycles, processes, _ = run_launch(device, DECODE_STEP)
    assert max(p["end"] for p in processes) == cycles
    assert all(p["busy"] + p["data_wait"] + p["space_wait"] == p["end"] for p in processes)
    names = {p["name"] for p in processes}
    assert {"control.read_weights_1", "router.dispatch", "matmul_0.mac_lane_0"} <= names


def test_the_waits_of_a_lane_are_those_of_its_streams(device: NativeDevice) -> None:
    _, processes, streams = run_launch(device, DECODE_STEP)
    lane = next(p for p in processes if p["name"] == "matmul_1.mac_lane_0")
    waits = {s["name"]: s["data_wait"] for s in streams}
    reads = ("matmul_1.lane_desc_0", "matmul_1.lane_act_0", "weights_1")
    assert lane["data_wait"] == sum(waits[name] for name in reads)


def test_an_engine_that_is_always_fed_takes_its_bound(device: NativeDevice, card: Accelerator) -> None:
    """Busy cycles of the busiest lane: the bound, its words of activations, the drains of its loops."""
    launch = Launch(tokens=4, position=0, head=True)
    _, processes, _ = run_launch(device, launch)
    busy = max(p["busy"] for p in processes if "mac_lane" in p["name"])
    design = card.design
    stored = sum(
        design.blocks[op.block].count * op.cols // 32 * (1 if design.blocks[op.block].head else 4)
        for op in design.matmuls
        if op.load
    )
    ops = [(op, design.blocks[op.block].count) for op in design.matmuls]
    sent = sum(count for _, count in ops)
    drained = LANE_DEPTH * (sent - 1) + MOVE_DEPTH * sent
    assert busy == engine_bound(design, launch) + stored + drained


def test_launches_of_a_prefill_are_a_session_s() -> None:
    assert launches(9, 4) == (
        Launch(tokens=4, position=0, head=False),
        Launch(tokens=4, position=4, head=False),
        Launch(tokens=1, position=8, head=True),
    )


def test_the_memory_bound_is_the_fullest_bank_s(card: Accelerator) -> None:
    supply = supply_of(card.design, platform("u55c"))
    words = max(
        p.op.body_words + p.op.head_words for p in card.design.processes if isinstance(p.op, ReadWeights)
    )
    bound = memory_bound(card.design, supply, Launch(tokens=1, position=0, head=True))
    assert bound == pytest.approx(64 * words / (13.3e9 / 250e6))
