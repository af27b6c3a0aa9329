"""Random designs on an emulated card: each process reads and writes what its program says, and bits agree."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from stbuild.ir.program import Event
from stbuild.passes.sizes import SizeOverrides
from tests.network.drawn import emulated
from tests.network.emulated import programmed, traces_of
from tests.network.random_graphs import ODD, TINY, WIDE, Sizes, random_graph

TOKENS = tuple(range(1, 76))
CHUNKS = (4, 1, 6, *(6,) * 3, 1, *(6,) * 6, 3, 6)
"""Over two blocks of the KV cache, whose ends lie within a launch, and a part of the third."""
TRIALS = [(seed, TINY) for seed in range(11)] + [(11, WIDE)] + [(20, ODD)]
MORE = int(os.environ.get("STBUILD_DRAWN_DESIGNS", "0"))
"""How many more designs are emulated, on demand."""


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "sizes"), TRIALS + [(100 + i, ODD if i % 2 else TINY) for i in range(MORE)])
def test_programs_are_those_of_the_cxx_and_the_card_equals_its_reference(
    seed: int, sizes: Sizes, tmp_path: Path
) -> None:
    card = emulated(random_graph(seed, sizes), tmp_path, overrides=drawn_batch(seed))
    for launch, trace in traces_of(card, TOKENS, CHUNKS):
        assert trace == programmed(card.design, launch), launch
    card.check(TOKENS, CHUNKS)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "sizes"), [(3, TINY), (11, WIDE)])
def test_the_same_holds_where_pipelines_that_stall_hold_back_words(
    seed: int, sizes: Sizes, tmp_path: Path
) -> None:
    """The emulator's strict mode, as a pipeline that is not flushable behaves in hardware.

    Writes come one by one there, and after reads of later iterations: reads are those of the program in their
    order, and each stream gets as many words.
    """
    card = emulated(random_graph(seed, sizes), tmp_path, strict=True, overrides=drawn_batch(seed))
    held_back = 0
    for launch, trace in traces_of(card, TOKENS, CHUNKS):
        expected = programmed(card.design, launch)
        assert trace.keys() == expected.keys()
        for process, steps in trace.items():
            assert reads_of(steps) == reads_of(expected[process]), (launch, process)
            assert words_written(steps) == words_written(expected[process]), (launch, process)
            held_back += steps != expected[process]
    assert held_back, "no pipeline has held back a word"
    card.check(TOKENS, CHUNKS)


def drawn_batch(seed: int) -> SizeOverrides:
    """Launches of six tokens are one batch or several, the last of them perhaps smaller."""
    batch = 1 + seed % 6
    return SizeOverrides(batch=batch, token_lanes=min(1 + seed % 4, batch))


def reads_of(steps: Sequence[Event]) -> list[Event]:
    """The reads in order; those of one stream that follow each other are one event."""
    found: list[Event] = []
    for step in steps:
        if step.write:
            continue
        if found and found[-1].streams == step.streams:
            step = Event(False, step.streams, found.pop().words + step.words)
        found.append(step)
    return found


def words_written(steps: Sequence[Event]) -> Counter[str]:
    """How many words each stream gets."""
    words = Counter[str]()
    for step in steps:
        if step.write:
            words.update(dict.fromkeys(step.streams, step.words))
    return words
