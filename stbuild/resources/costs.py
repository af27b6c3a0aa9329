"""What a part costs: formulas that Yosys's counts of rtl_lib/parts hold (tests/resources/test_calibration.py).

A formula may say up to 1.4 times what Yosys counts for LUT and FF and never less, and the same within 15 % for
blocks. Vivado shares LUTs that Yosys does not, so that what it places should be below.
"""

from math import ceil

from stbuild.ir.parts import (
    Add,
    Choose,
    Clamp,
    Divide,
    Hold,
    Largest,
    Multiply,
    PackedDot,
    Part,
    Shift,
    Store,
    Table,
)
from stbuild.platform import DspKind, Fabric
from stbuild.resources.storage import bind_array

PORTS = {DspKind.DSP48E2: (27, 18), DspKind.DSP58: (27, 24)}
"""Bits of the two factors of a DSP block, signed (AMD UG579, AM004)."""


def cost_of(part: Part, dsp: DspKind, available: Fabric) -> Fabric:
    """What `part` takes of the fabric; arrays lie where they are cheapest of what is `available`."""
    match part:
        case Multiply():
            return multiply_cost(part, dsp)
        case PackedDot(columns=columns, count=count):
            return Fabric(lut=0, ff=0, dsp=columns) * count
        case Store():
            return bind_array(part.words, part.bits, available).cost * part.banks
        case Table():
            return table_cost(part)
        case _:
            return logic_cost(part)


def logic_cost(part: Add | Clamp | Shift | Choose | Largest | Divide | Hold) -> Fabric:
    """Parts that are LUTs and registers alone."""
    match part:
        case Add(bits=bits, count=count):
            return Fabric(lut=bits, ff=bits) * count
        case Clamp(bits=bits, count=count):
            return Fabric(lut=40 + ceil((bits - 31) / 3), ff=32) * count
        case Shift():
            return shift_cost(part)
        case Choose(ways=ways, bits=bits, count=count):
            return Fabric(lut=bits * choose_luts(ways), ff=bits) * count
        case Largest(inputs=inputs, bits=bits, count=count):
            return Fabric(lut=2 * bits, ff=bits) * ((inputs - 1) * count)
        case Divide(bits=bits, count=count):
            return Fabric(lut=4 * bits + 20, ff=3 * bits + 8) * count
        case Hold(bits=bits):
            return Fabric(lut=0, ff=bits)


def multiply_cost(part: Multiply, dsp: DspKind) -> Fabric:
    """As many DSP blocks as the factors have pieces; their sums go through the blocks' own adders."""
    wide, narrow = PORTS[dsp]
    blocks = min(
        _pieces(part.a, wide) * _pieces(part.b, narrow), _pieces(part.a, narrow) * _pieces(part.b, wide)
    )
    return Fabric(lut=0, ff=0, dsp=blocks) * part.count


def _pieces(bits: int, port: int) -> int:
    """Pieces of a signed number at a port: all but the highest are unsigned and so a bit narrower."""
    return 1 if bits <= port else 1 + ceil((bits - port) / (port - 1))


def shift_cost(part: Shift) -> Fabric:
    """Two registers deep; a LUT chooses among four distances."""
    stages = ceil((part.distances - 1).bit_length() / 2)
    return Fabric(lut=part.bits * stages, ff=2 * part.bits) * part.count


def choose_luts(ways: int) -> int:
    """LUTs for a bit of a choice: one chooses among four, MUXF7 and MUXF8 among four LUTs."""
    return ceil(ways / 4) + (choose_luts(ceil(ways / 16)) if ways > 16 else 0)


def table_cost(part: Table) -> Fabric:
    """In LUTs: 64 words of a bit each; once for each read of a cycle."""
    return Fabric(lut=part.bits * ceil(part.words / 64), ff=part.bits) * part.reads
