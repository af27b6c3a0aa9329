"""A diamond of two paths: its least depth, its deadlock report, its cycles as measured on RTL."""

from pathlib import Path

import numpy as np
import pytest

from tests.hls_lib.emulator.conftest import BuildFiles
from tests.hls_lib.emulator.network import AnyArray, LaunchError, Network, Variant, aligned

SOURCE = (Path(__file__).parent / "diamond.cpp",)
VECTOR, VECTORS = 64, 16

RTL_CYCLES = {64: 1447, 65: 1432, 66: 1417, 70: 1357, 80: 1207, 84: 1147, 85: 1132, 86: 1117, 128: 1117}
"""Cycles of 16 vectors by depth, of hand-written RTL of such a diamond under Verilator."""


def run(network: Network, depth: int) -> AnyArray:
    """Lane 0 and 1 of each word that comes out."""
    assert network.set("depth.diamond.aside", depth) == 0
    x = np.zeros((VECTOR * VECTORS, 16), np.int32)
    x[:, 0] = np.arange(len(x))
    y = aligned(np.zeros_like(x))
    network.run([aligned(x), y], [len(x)])
    return y[:, :2]


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.PORTABLE, Variant.TIMED, Variant.STRICT])
def test_depth_64_is_enough(build_files: BuildFiles, variant: Variant) -> None:
    y = run(build_files(SOURCE, variant), VECTOR)
    assert y[:, 0].tolist() == list(range(VECTOR * VECTORS))
    sums = np.arange(VECTOR * VECTORS).reshape(VECTORS, VECTOR).sum(axis=1)
    assert y[::VECTOR, 1].tolist() == sums.tolist()


@pytest.mark.parametrize("variant", [Variant.FAST, Variant.PORTABLE, Variant.STRICT])
def test_one_too_shallow_is_a_deadlock_with_its_cycle_of_waits(
    build_files: BuildFiles, variant: Variant
) -> None:
    network = build_files(SOURCE, variant)
    with pytest.raises(LaunchError) as stopped:
        run(network, VECTOR - 1)
    assert stopped.value.code == 1
    assert str(stopped.value).splitlines() == [
        "deadlock: these processes wait for each other",
        "  diamond.fork waits to write diamond.aside (depth 63, fill 63, full, 63 written, 0 read)",
        "  diamond.apply waits to read diamond.statistic (depth 2, fill 0, empty, 0 written, 0 read)",
        "  diamond.measure waits to read diamond.measured (depth 2, fill 0, empty, 63 written, 63 read)",
    ]


def test_the_device_works_again_after_a_deadlock(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.FAST)
    with pytest.raises(LaunchError):
        run(network, VECTOR - 1)
    assert run(network, VECTOR)[:, 0].tolist() == list(range(VECTOR * VECTORS))
    assert {"name": "diamond.aside", "depth": 64, "high": 64} in network.streams()


def test_a_deadlock_of_the_timed_network_names_local_cycles(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.TIMED)
    with pytest.raises(LaunchError, match=r"diamond.fork waits to write .* at cycle \d+\n"):
        run(network, VECTOR - 1)


def test_cycles_follow_the_depth_as_in_rtl(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.TIMED)
    cycles = dict.fromkeys(RTL_CYCLES, 0)
    for depth in cycles:
        run(network, depth)
        cycles[depth] = network.cycles()
    offsets = {RTL_CYCLES[depth] - cycles[depth] for depth in cycles}
    assert offsets == {2}, cycles  # the readers and writers of the RTL have other depths


def test_memory_that_gives_less_than_a_word_a_cycle_costs_its_cycles(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.TIMED)
    network.set("bytes_per_cycle.control.read_x", 64)
    run(network, 128)
    full = network.cycles()
    network.set("bytes_per_cycle.control.read_x", 16)
    run(network, 128)
    words = VECTOR * VECTORS
    assert 3 * words - 64 <= network.cycles() - full <= 3 * words + 64
    network.set("bytes_per_cycle.control.read_x", 64)


def test_a_read_waits_once_for_its_first_word(build_files: BuildFiles) -> None:
    network = build_files(SOURCE, Variant.TIMED)
    run(network, 128)
    without = network.cycles()
    assert network.set("read_latency.control.read_x", 36) == 0
    run(network, 128)
    assert network.cycles() - without == 36
