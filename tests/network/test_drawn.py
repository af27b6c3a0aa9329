"""Random designs without values: `partition` runs every launch of each, and none hangs when it is done."""

import os
from dataclasses import replace

import pytest

from stbuild.ir.design import Design
from stbuild.network.network import network_of
from stbuild.network.runner import Runner
from stbuild.passes.deadlocks import launches
from tests.network.drawn import on_largest_engine, planned
from tests.network.random_graphs import ANY, ODD, Sizes, random_graph

COUNT = int(os.environ.get("STBUILD_DRAWN_PLANS", "6"))
"""How many designs are drawn; 2,000 on demand."""
DRAWN = [(seed, ANY) for seed in range(COUNT)] + [(seed, ODD) for seed in range(COUNT // 3)]


def hangs(design: Design, *, whole: bool) -> list[str]:
    """The launches that hang, all runs of each gone through."""
    return [
        f"{launch}: {hang}"
        for launch in launches(design)
        if (hang := Runner(network_of(design, launch), whole=whole, all_runs=True).run()) is not None
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "sizes"), DRAWN)
def test_no_launch_of_a_planned_design_hangs(seed: int, sizes: Sizes) -> None:
    design = planned(random_graph(seed, sizes))
    assert hangs(design, whole=True) == []
    assert hangs(design, whole=False) == []


def test_a_design_whose_fifos_are_shallow_hangs() -> None:
    """The check can fail: of the same design with FIFOs of two words, some launch hangs."""
    design = on_largest_engine(random_graph(0, ANY))
    shallow = replace(design, streams=tuple(replace(s, depth=min(s.depth, 2)) for s in design.streams))
    assert hangs(shallow, whole=False)
