"""Random designs on an emulated card: each process reads and writes what its program says, and bits agree."""

import os
from pathlib import Path

import pytest

from tests.accelerator import Accelerator
from tests.network.drawn import emulated
from tests.network.emulated import programmed, traces_of
from tests.network.random_graphs import TINY, WIDE, Sizes, random_graph

TOKENS = tuple(range(1, 12))
CHUNKS = (4, 1, 6)
TRIALS = [(seed, TINY) for seed in range(11)] + [(11, WIDE)]
MORE = int(os.environ.get("STBUILD_DRAWN_DESIGNS", "0"))
"""How many more designs are emulated, on demand."""


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "sizes"), TRIALS + [(100 + i, TINY) for i in range(MORE)])
def test_programs_are_those_of_the_cxx_and_the_card_equals_its_reference(
    seed: int, sizes: Sizes, tmp_path: Path
) -> None:
    check(emulated(random_graph(seed, sizes), tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "sizes"), [(3, TINY), (11, WIDE)])
def test_the_same_holds_where_pipelines_that_stall_hold_back_words(
    seed: int, sizes: Sizes, tmp_path: Path
) -> None:
    """The emulator's strict mode, as a pipeline that is not flushable behaves in hardware."""
    check(emulated(random_graph(seed, sizes), tmp_path, strict=True))


def check(card: Accelerator) -> None:
    """Each process of a traced card does what its program says, and the bits are the reference's."""
    for launch, trace in traces_of(card, TOKENS, CHUNKS):
        assert trace == programmed(card.design, launch), launch
    card.check(TOKENS, CHUNKS)
