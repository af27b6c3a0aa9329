"""Random designs on an emulated card: each process reads and writes what its program says, and bits agree."""

import os
from pathlib import Path

import pytest

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
    card = emulated(random_graph(seed, sizes), tmp_path)
    for launch, trace in traces_of(card, TOKENS, CHUNKS):
        assert trace == programmed(card.design, launch), launch
    card.check(TOKENS, CHUNKS)
