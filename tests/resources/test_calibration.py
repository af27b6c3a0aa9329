"""The formulas of parts against what Yosys counts: what is kept, and a few points counted again."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.part_costs import MEASURED, PARTS, POINTS, measure
from stbuild.ir.parts import Add, Choose, Clamp, Divide, Dot, Largest, Multiply, Part, Shift, Table
from stbuild.ir.storage import Storage
from stbuild.platform import DspKind, Fabric
from stbuild.resources.costs import cost_of
from stbuild.resources.storage import array_in, fifo_in
from stbuild.resources.usage import slice_cost
from tests.accelerator import platform

BLOCKS, LOGIC = 1.15, 1.4
"""By how much a formula may be off: for DSP, BRAM and URAM either way, for LUT and FF only above."""
LEAST = 8
"""LUTs or registers that do not matter."""
STYLES = {"distributed": Storage.LUTRAM, "block": Storage.BRAM, "ultra": Storage.URAM}
CARD = platform("u55c")
KEPT: list[dict[str, Any]] = json.loads(MEASURED.read_text())["points"]


def part_of(name: str, p: dict[str, Any]) -> Part:
    """The value that a module of rtl_lib/parts stands for."""
    match name:
        case "multiply":
            return Multiply(a=p["A"], b=p["B"])
        case "multiply_fabric":
            return Multiply(a=p["A"], b=p["B"], fabric=True)
        case "dot_fabric":
            return Dot(weight=p["WEIGHT"], value=p["VALUE"], sum=p["SUM"])
        case "add":
            return Add(bits=p["BITS"])
        case "clamp":
            return Clamp(bits=p["BITS"])
        case "shift":
            return Shift(bits=p["BITS"], distances=p["DISTANCES"])
        case "choose":
            return Choose(ways=p["WAYS"], bits=p["BITS"])
        case "largest":
            return Largest(inputs=p["INPUTS"], bits=p["BITS"])
        case "divide":
            return Divide(bits=p["BITS"])
        case "table_rom":
            return Table(words=p["WORDS"], bits=p["BITS"])
    raise AssertionError(f"{name} stands for no part")


def formula(name: str, p: dict[str, Any]) -> Fabric:
    """What our formulas say."""
    match name:
        case "store":
            return array_in(STYLES[p["STYLE"]], p["WORDS"], p["BITS"])
        case "fifo_shift":
            return fifo_in(Storage.SRL, p["DEPTH"], p["BITS"])
        case "fifo_memory":
            return fifo_in(STYLES[p["STYLE"]], p["DEPTH"], p["BITS"])
        case "register_slice":
            return slice_cost(p["BITS"])
        case "read_master":
            return CARD.axi.adapter_cost
    return cost_of(part_of(name, p), DspKind.DSP48E2, CARD.available)


def ids(point: dict[str, Any]) -> str:
    return "-".join(map(str, (point["part"], *point["parameters"].values())))


@pytest.mark.parametrize("point", [p for p in KEPT if p["part"] != "read_master"], ids=ids)
def test_a_formula_says_what_yosys_counts_or_a_little_more(point: dict[str, Any]) -> None:
    said = formula(point["part"], point["parameters"])
    for resource in ("dsp", "bram36", "uram"):
        counted = point[resource]
        assert counted / BLOCKS <= getattr(said, resource) <= counted * BLOCKS, resource
    for resource in ("lut", "ff"):
        counted = point[resource]
        assert counted <= getattr(said, resource) <= max(counted * LOGIC, counted + LEAST), resource


def test_a_memory_port_costs_more_than_a_reader_of_ours() -> None:
    """The figure is that of whole kernels routed by Vitis; a reader written by hand is its lower bound."""
    (point,) = (p for p in KEPT if p["part"] == "read_master")
    adapter = CARD.axi.adapter_cost
    assert point["lut"] < adapter.lut
    assert point["ff"] < adapter.ff
    assert point["bram36"] <= adapter.bram36


def test_every_part_has_been_counted_at_all_its_sizes() -> None:
    kept = [(p["part"], p["parameters"]) for p in KEPT]
    assert kept == [(part, dict(size)) for part, sizes in POINTS.items() for size in sizes]
    assert {part for part, _ in kept} == {path.stem for path in Path(PARTS).glob("*.sv")}


@pytest.mark.slow
@pytest.mark.parametrize("part", ["add", "multiply", "divide"])
def test_yosys_still_counts_so(part: str) -> None:
    point = next(p for p in KEPT if p["part"] == part)
    counts = vars(measure(part, point["parameters"]))
    assert counts == {name: point[name] for name in counts}
