"""What Yosys makes of the parts in rtl_lib/parts: counts that the formulas of stbuild/resources must meet.

python -m benchmarks.part_costs [PART ...] prints them; --write keeps them.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import yosys

PARTS = Path(__file__).resolve().parents[1] / "rtl_lib/parts"
BLOCKS = ("product", "product_row", "dsp_block", "delay", "row_dot")
"""Modules of rtl_lib/twins that a part uses."""
MEASURED = PARTS / "measured.json"
Parameters = Mapping[str, int | str]

POINTS: Mapping[str, tuple[Parameters, ...]] = {
    "multiply": tuple(
        {"A": a, "B": b}
        for a, b in (
            (16, 16), (23, 9), (25, 18), (27, 18), (24, 24), (9, 32), (17, 32), (24, 32), (32, 32), (55, 32),
        )
    ),
    "multiply_fabric": tuple({"A": a, "B": b} for a, b in ((8, 8), (14, 9))),
    "dot_fabric": ({"WEIGHT": 4, "VALUE": 9, "SUM": 18},),
    "add": tuple({"BITS": bits} for bits in (16, 33, 64)),
    "clamp": tuple({"BITS": bits} for bits in (33, 48, 64)),
    "shift": tuple({"BITS": b, "DISTANCES": d} for b, d in ((32, 32), (49, 64), (64, 32), (64, 64))),
    "choose": tuple({"WAYS": w, "BITS": b} for w, b in ((2, 512), (3, 512), (8, 512), (24, 512), (8, 32))),
    "largest": tuple({"INPUTS": n, "BITS": b} for n, b in ((2, 32), (16, 32), (32, 64))),
    "divide": tuple({"BITS": bits} for bits in (40, 64)),
    "table_rom": tuple({"WORDS": w, "BITS": b} for w, b in ((64, 17), (128, 16), (256, 64), (512, 25))),
    "store": tuple(
        {"WORDS": w, "BITS": b, "STYLE": s}
        for w, b, s in (
            (32, 512, "distributed"), (64, 512, "distributed"), (256, 64, "distributed"), (512, 512, "block"),
            (2752, 512, "block"), (2048, 16, "block"), (4096, 32, "block"), (4096, 512, "ultra"),
            (16384, 64, "ultra"), (2752, 512, "ultra"),
        )
    ),
    "fifo_shift": tuple({"DEPTH": d, "BITS": b} for d, b in ((32, 512), (64, 512), (128, 512), (16, 64))),
    "fifo_memory": tuple(
        {"DEPTH": d, "BITS": b, "STYLE": s}
        for d, b, s in (
            (512, 512, "block"), (1024, 512, "block"), (4096, 512, "ultra"), (64, 512, "distributed"),
        )
    ),
    "register_slice": tuple({"BITS": bits} for bits in (64, 512)),
    "read_master": ({"BITS": 512, "BURST": 64, "DEPTH": 512},),
}  # fmt: skip
"""Each part at the sizes that designs have."""

LUTS = {f"LUT{n}": 1 for n in range(1, 7)} | {
    "SRL16E": 1, "SRLC32E": 1, "RAM32M16": 8, "RAM64M8": 8, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2,
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM64X1D": 2, "RAM128X1D": 4,
    "RAM256X1D": 8, "RAM512X1S": 8, "RAM64X8SW": 8,
}  # fmt: skip
"""LUTs that a primitive takes (AMD UG574); multiplexers of a slice and carries are free."""
BRAMS = {"RAMB36E2": 1.0, "RAMB18E2": 0.5}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a part takes of the fabric."""

    lut: int
    ff: int
    bram36: float
    uram: int
    dsp: int


def measure(part: str, parameters: Parameters) -> Counts:
    """Yosys's counts of a part with these parameters."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files = [*sorted(PARTS.glob("*.sv")), *(PARTS.parent / f"twins/{name}.sv" for name in BLOCKS)]
        for source in files:
            text = source.read_text()
            (folder / source.name).write_text(
                with_parameters(text, parameters) if source.stem == part else text
            )
        sources = " ".join(source.name for source in files)
        script = (
            f"read_verilog -sv {sources}; hierarchy -top {part}; "
            f"synth_xilinx -family xcup -flatten -noiopad -noclkbuf -top {part}; "
            "tee -o stat.json stat -json"
        )
        yosys.run(script, folder, f"{part} with {dict(parameters)}")
        return counts_of(json.loads((folder / "stat.json").read_text()))


def with_parameters(text: str, parameters: Parameters) -> str:
    """A module's text with other defaults: Yosys loses modules that it specialises with chparam."""
    for name, value in parameters.items():
        literal = f'"{value}"' if isinstance(value, str) else str(value)
        text, found = re.subn(rf'(\b{name} = )(\d+|"\w+")', rf"\g<1>{literal}", text, count=1)
        if not found:
            raise SystemExit(f"the part has no parameter {name}")
    return text


def counts_of(stat: dict[str, Any]) -> Counts:
    """The counts in what `stat -json` says."""
    cells: dict[str, int] = stat["design"]["num_cells_by_type"]
    unknown = {c for c in cells if c not in LUTS and c not in BRAMS and not c.startswith(FREE)}
    if unknown:
        raise SystemExit(f"Yosys made cells of a kind that is not counted: {', '.join(sorted(unknown))}")
    return Counts(
        lut=sum(LUTS.get(cell, 0) * n for cell, n in cells.items()),
        ff=sum(n for cell, n in cells.items() if cell.startswith("FD")),
        bram36=sum(BRAMS.get(cell, 0.0) * n for cell, n in cells.items()),
        uram=cells.get("URAM288", 0),
        dsp=cells.get("DSP48E2", 0),
    )


FREE = ("FD", "CARRY", "MUXF", "INV", "URAM288", "DSP48E2", "GND", "VCC", "$scopeinfo")
"""Cells that are counted elsewhere, or that a slice has beside its LUTs."""


def points(parts: list[str]) -> Iterator[tuple[str, Parameters]]:
    """The parts asked for at all their sizes."""
    for part in parts or POINTS:
        yield from ((part, parameters) for parameters in POINTS[part])


def main() -> None:
    """Measure, print, and with --write keep what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help="of rtl_lib/parts; all without any")
    parser.add_argument("--write", action="store_true", help="write rtl_lib/parts/measured.json")
    args = parser.parse_args()
    rows = []
    for part, parameters in points(args.parts):
        counts = measure(part, parameters)
        rows.append({"part": part, "parameters": dict(parameters), **vars(counts)})
        print(json.dumps(rows[-1]), file=sys.stdout, flush=True)
    if args.write:
        header = {
            "tool": " ".join(yosys.version().split()[:2]),
            "command": "synth_xilinx -family xcup -flatten",
        }
        body = ",\n".join(f"  {json.dumps(row)}" for row in rows)
        MEASURED.write_text(f'{{\n "tool": "{header["tool"]}",\n "command": "{header["command"]}",\n'
                            f' "points": [\n{body}\n ]\n}}\n')  # fmt: skip


if __name__ == "__main__":
    main()
