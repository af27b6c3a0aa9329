"""Each twin of rtl_lib/twins against its process: bits, cycles, area, levels; `make twins` does more."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.twins.cases import CASES
from benchmarks.twins.comparison import Case, Pace, compare
from benchmarks.twins.costs import MEASURED, modelled, synthesize
from benchmarks.twins.timed import TimedImage
from benchmarks.twins.verilated import TWINS as FOLDER
from stbuild.timing.twin import Twin
from stbuild.timing.twins import TWINS

CYCLES = 0.03
"""By how much the timed network may be off."""
BLOCKS, LOGIC = 1.15, 1.4
"""By how much the model of resources may be: DSP, BRAM and URAM either way, LUT and FF only above."""
LEVELS = 8
DEPTHS = Path(__file__).parents[2] / "hls_lib/include/stb/depths.hpp"
KEPT: dict[str, dict[str, Any]] = {p["case"]: p for p in json.loads(MEASURED.read_text())["twins"]}

by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_name
def test_a_twin_is_its_process(case: Case, image: TimedImage, runtime: Path, tmp_path: Path) -> None:
    program = case.compile(tmp_path, runtime, "-O0")
    for seed, pace in enumerate(Pace):
        found = compare(case, program, image, seed, pace)
        assert found.words > 0
        assert found.different == 0, pace
        assert abs(found.ratio - 1) <= CYCLES, pace


@by_name
def test_the_model_of_resources_says_what_yosys_counts_or_a_little_more(case: Case) -> None:
    """A memory port's adapter is that of kernels routed by Vitis: a reader by hand is its lower bound."""
    said, counted = modelled(case), KEPT[case.name]
    for resource in ("dsp", "bram36", "uram"):
        assert counted[resource] / BLOCKS <= getattr(said, resource) <= counted[resource] * BLOCKS, resource
    for resource in ("lut", "ff"):
        most = counted[resource] * LOGIC if not case.memory_port else math.inf
        assert counted[resource] <= getattr(said, resource) <= most, resource


@by_name
def test_no_path_is_longer_than_the_clock_allows(case: Case) -> None:
    assert KEPT[case.name]["levels"] <= LEVELS, KEPT[case.name]["path"]


def test_yosys_still_counts_so() -> None:
    case = next(case for case in CASES if case.name == "fork")
    found, kept = synthesize(case.module, case.parameters), KEPT["fork"]
    assert vars(found.counts) == {name: kept[name] for name in vars(found.counts)}
    assert found.path.levels <= kept["levels"]


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.module)
def test_the_network_charges_the_depths_of_the_twins(twin: Twin) -> None:
    depths = dict(re.findall(r"constexpr int (\w+) = (\d+);", DEPTHS.read_text()))
    for loop in twin.loops if twin.confirmed else ():
        assert int(depths[loop.depth]) == loop.cycles, loop.depth


def test_what_is_confirmed_is_compared_here() -> None:
    assert {twin.module for twin in TWINS if twin.confirmed} == {case.module for case in CASES}
    assert set(KEPT) == {case.name for case in CASES}
    assert all((FOLDER / f"{case.module}.sv").exists() for case in CASES)
