"""A decoder of one layer whose processes are twins, against the reference and the timed network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.twins.composition.hybrid import twins_of
from benchmarks.twins.composition.tiny import (
    LAUNCHES,
    SLOW_LAUNCHES,
    TOKENS,
    Played,
    hybrid,
    hybrid_device,
    play,
    timed_device,
    tiny,
)
from benchmarks.twins.verilated import MISSING, verilator
from stbuild.chain.functions import process_functions
from tests.accelerator import Accelerator

CYCLES = 0.05
"""By how much the timed network may be off."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The decoder, and the image with twins."""

    accelerator: Accelerator
    image: Path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    if verilator() is None:
        pytest.skip(MISSING)
    accelerator = tiny(tmp_path_factory.mktemp("tiny"))
    return Machine(accelerator=accelerator, image=hybrid(accelerator, tmp_path_factory.mktemp("hybrid")))


@pytest.mark.slow
def test_a_layer_of_twins_is_the_reference_in_the_cycles_of_the_network(machine: Machine) -> None:
    check(machine, slow=False)


def test_it_is_the_same_with_slow_sinks_that_take_longer(machine: Machine) -> None:
    timed = check(machine, slow=True)
    usual = play(timed_device(machine.accelerator), machine.accelerator, SLOW_LAUNCHES)
    assert max(timed.ends[0].values()) > 1.1 * max(usual.ends[0].values())


def check(machine: Machine, *, slow: bool) -> Played:
    """Logits and cycles with twins; what the timed network does."""
    accelerator, launches = machine.accelerator, SLOW_LAUNCHES if slow else LAUNCHES
    twins = play(hybrid_device(accelerator, machine.image, slow=slow), accelerator, launches)
    timed = play(timed_device(accelerator, slow=slow), accelerator, launches)
    check_results(accelerator, twins, [position + count - 1 for position, count in launches])
    for with_twins, network in zip(twins.ends, timed.ends, strict=True):
        last = max(network[name] for name in with_twins)
        assert abs(last / max(with_twins.values()) - 1) <= CYCLES
    return timed


def check_results(accelerator: Accelerator, played: Played, ends: list[int]) -> None:
    expected = accelerator.expected(TOKENS)
    assert played.greedy == [int(expected.logits[end].argmax()) for end in ends]
    for logits, end in zip(played.logits, ends, strict=True):
        assert np.array_equal(logits, expected.logits[end].numpy()), f"logits of token {end}"


def test_what_is_not_a_twin_is_named(machine: Machine) -> None:
    design = machine.accelerator.design
    twins = {each.process for each in twins_of(design)}
    found = {name for process, name in process_functions(design).items() if process not in twins}
    assert found == {
        "argmax", "attention_heads", "fan_out", "read_kv", "read_params", "sequence", "split_params",
        "take_last", "write_kv", "write_words",
    }  # fmt: skip
