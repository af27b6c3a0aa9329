"""Logic levels between registers, counted in a netlist of Yosys, whose own `ltp` runs through registers."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEVELS = {f"LUT{n}": 1.0 for n in range(1, 7)} | {
    "MUXF7": 1.0, "MUXF8": 1.0, "MUXF9": 1.0, "CARRY8": 1.0, "CARRY4": 0.5, "INV": 0.0,
}  # fmt: skip
"""Cells that a path goes through. A CARRY4 is half a CARRY8; an inverter goes into the next LUT."""
LUT_MEMORY = ("RAM", "SRL")
"""Cells whose contents are registers, and whose address is a LUT's inputs. A shift register of constant
length is a register."""
BLOCK_MEMORY = ("RAMB",)
ADDRESSES = ("A", "DPRA", "ADDR", "RADR")


@dataclass(frozen=True, kw_only=True)
class Path:
    """The longest path that ends at a pin: its levels, and the cells on it."""

    levels: float = 0.0
    cells: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{math.ceil(self.levels)} levels: {' '.join(self.cells)}"


def longest_path(netlist: Mapping[str, Any], module: str) -> Path:
    """The longest path of a flat module between registers, ports, memories and DSP blocks."""
    cells: dict[str, Any] = netlist["modules"][module]["cells"]
    order = _Order(cells)
    ends = [
        order.path(bit)
        for cell in cells.values() if not _passes(cell["type"])
        for pin, bits in cell["connections"].items() if _is_input(cell, pin)
        for bit in bits
    ]  # fmt: skip
    outputs = [
        order.path(bit)
        for port in netlist["modules"][module]["ports"].values() if port["direction"] == "output"
        for bit in port["bits"]
    ]  # fmt: skip
    return max((*ends, *outputs), key=lambda path: path.levels, default=Path())


class _Order:
    """The longest path to each net, found without recursion."""

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self._cells = cells
        self._driver: dict[int, str] = {}
        self._found: dict[int, Path] = {}
        for name, cell in cells.items():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"].get(pin) == "output":
                    self._driver.update({bit: name for bit in bits if isinstance(bit, int)})
        self._visit()

    def path(self, bit: int | str) -> Path:
        return self._found.get(bit, Path()) if isinstance(bit, int) else Path()

    def _visit(self) -> None:
        """Cells in topological order of their combinational inputs."""
        waiting: dict[str, int] = {}
        readers: dict[str, list[str]] = defaultdict(list)
        for name, cell in self._cells.items():
            if _depth(cell) is None:
                continue
            sources = {self._driver[b] for b in _inputs(cell) if b in self._driver}
            sources = {s for s in sources if _depth(self._cells[s]) is not None}
            waiting[name] = len(sources)
            for each in sources:
                readers[each].append(name)
        ready = [name for name, count in waiting.items() if count == 0]
        while ready:
            name = ready.pop()
            self._measure(self._cells[name])
            for reader in readers[name]:
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
        if any(waiting.values()):
            raise ValueError("the netlist has a combinational loop")

    def _measure(self, cell: Mapping[str, Any]) -> None:
        longest = max((self.path(b) for b in _inputs(cell)), key=lambda path: path.levels, default=Path())
        depth = _depth(cell) or 0.0
        here = Path(levels=longest.levels + depth, cells=(*longest.cells, cell["type"]))
        for pin, bits in cell["connections"].items():
            if cell["port_directions"].get(pin) == "output":
                self._found.update({bit: here for bit in bits if isinstance(bit, int)})


def _depth(cell: Mapping[str, Any]) -> float | None:
    """Levels of a cell that a path goes through; None where paths begin and end."""
    kind: str = cell["type"]
    if kind in LEVELS:
        return LEVELS[kind]
    read = kind.startswith(LUT_MEMORY) and not kind.startswith(BLOCK_MEMORY)
    return 1.0 if read and not (kind.startswith("SRL") and not _inputs(cell)) else None


def _passes(kind: str) -> bool:
    return kind in LEVELS


def _inputs(cell: Mapping[str, Any]) -> list[int]:
    """The nets whose change reaches the outputs in the same cycle."""
    kind: str = cell["type"]
    pins = [pin for pin in cell["connections"] if _is_input(cell, pin)]
    if kind not in LEVELS:
        pins = [
            pin for pin in pins if pin.startswith(ADDRESSES) and not (kind == "RAM64M8" and pin == "ADDRH")
        ]
    return [bit for pin in pins for bit in cell["connections"][pin] if isinstance(bit, int)]


def _is_input(cell: Mapping[str, Any], pin: str) -> bool:
    return cell["port_directions"].get(pin) == "input" and pin not in (
        "C",
        "CLK",
        "WCLK",
        "CLKARDCLK",
        "CLKBWRCLK",
    )
