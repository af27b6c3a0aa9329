"""The count of logic levels, on netlists written by hand."""

from typing import Any

import pytest

from benchmarks.twins.levels import longest_path


def cell(kind: str, inputs: dict[str, list[int]], outputs: dict[str, list[int]]) -> dict[str, Any]:
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {"type": kind, "connections": inputs | outputs, "port_directions": directions}


def netlist(*cells: dict[str, Any], output: int = 0) -> dict[str, Any]:
    ports = {"y": {"direction": "output", "bits": [output]}}
    return {"modules": {"top": {"cells": {f"c{i}": c for i, c in enumerate(cells)}, "ports": ports}}}


def register(d: int, q: int) -> dict[str, Any]:
    return cell("FDRE", {"D": [d], "C": [1]}, {"Q": [q]})


def lut(a: int, b: int, y: int) -> dict[str, Any]:
    return cell("LUT2", {"I0": [a], "I1": [b]}, {"O": [y]})


def test_a_path_begins_and_ends_at_registers() -> None:
    path = longest_path(netlist(register(9, 10), lut(10, 10, 11), lut(11, 10, 12), register(12, 13)), "top")
    assert (path.levels, path.cells) == (2, ("LUT2", "LUT2"))


def test_two_carries_of_four_bits_are_one_level() -> None:
    carries = [cell("CARRY4", {"CI": [20 + i]}, {"CO": [21 + i]}) for i in range(4)]
    assert longest_path(netlist(lut(10, 10, 20), *carries, register(24, 25)), "top").levels == 3


def test_a_block_ends_a_path_and_an_output_does() -> None:
    block = cell("DSP48E2", {"A": [11]}, {"P": [12]})
    assert (
        longest_path(
            netlist(lut(10, 10, 11), block, lut(12, 12, 13), lut(13, 13, 14), output=14), "top"
        ).levels
        == 2
    )


def test_a_memory_is_read_through_its_address_alone() -> None:
    memory = cell("RAM32M16", {"ADDRA": [11], "DIA": [15]}, {"DOA": [12]})
    slow_data = [lut(10, 10, 16), lut(16, 16, 17), lut(17, 17, 15)]
    path = longest_path(netlist(lut(10, 10, 11), memory, *slow_data, register(12, 13)), "top")
    assert path.levels == 3
    assert longest_path(netlist(lut(10, 10, 11), memory, register(12, 13)), "top").cells == (
        "LUT2",
        "RAM32M16",
    )


def test_a_shift_register_is_a_register_unless_its_length_changes() -> None:
    fixed = cell("SRL16E", {"D": [10], "A0": []}, {"Q": [12]})
    moving = cell("SRL16E", {"D": [10], "A0": [11]}, {"Q": [12]})
    assert longest_path(netlist(fixed, lut(12, 12, 13), register(13, 14)), "top").levels == 1
    assert longest_path(netlist(moving, lut(12, 12, 13), register(13, 14)), "top").levels == 2


def test_a_loop_is_an_error() -> None:
    with pytest.raises(ValueError, match="combinational loop"):
        longest_path(netlist(lut(10, 12, 11), lut(11, 11, 12)), "top")
