"""What a part costs: formulas, which Yosys's counts of rtl_lib/parts confirm.

tests/resources/test_calibration.py holds them to 1.0 to 1.4 times what Yosys counts of LUT and FF, and to
15 % of the blocks. Vivado shares LUTs that Yosys does not, so that what it places should be below.
"""

from functools import cache
from math import ceil

from stbuild.ir.parts import (
    Add,
    Choose,
    Clamp,
    Delay,
    Divide,
    Dot,
    Hold,
    Largest,
    Multiply,
    Part,
    Shift,
    Store,
    Table,
)
from stbuild.platform import DspKind, Fabric
from stbuild.resources.storage import Bound, array_in, bind_array

PORTS = {DspKind.DSP48E2: (27, 18), DspKind.DSP58: (27, 24)}
"""Bits of the two factors of a DSP block, signed (AMD UG579, AM004)."""


@cache
def cost_of(part: Part, dsp: DspKind, available: Fabric) -> Fabric:
    """What `part` takes of the fabric; arrays lie where they are cheapest of what is `available`."""
    match part:
        case Multiply():
            return multiply_cost(part, dsp)
        case Store():
            return bound_store(part, available).cost * part.banks
        case Table():
            return table_cost(part)
        case _:
            return logic_cost(part)


@cache
def bound_store(part: Store, available: Fabric) -> Bound:
    """One of the memories of an array: where its C++ says, else where it is cheapest."""
    if part.storage is None:
        return bind_array(part.words, part.bits, available)
    return Bound(storage=part.storage, cost=array_in(part.storage, part.words, part.bits))


def logic_cost(part: Dot | Add | Clamp | Shift | Choose | Largest | Divide | Delay | Hold) -> Fabric:
    """Parts that are LUTs and registers alone."""
    match part:
        case Dot():
            return dot_cost(part)
        case Add(bits=bits, count=count):
            return Fabric(lut=bits, ff=bits) * count
        case Clamp(bits=bits, count=count):
            return Fabric(lut=42 + ceil(0.62 * (bits - 33)), ff=32) * count
        case Shift():
            return shift_cost(part)
        case Choose(ways=ways, bits=bits, count=count):
            return Fabric(lut=ceil(bits * choose_luts(ways)), ff=bits) * count
        case Largest(inputs=inputs, bits=bits, count=count):
            return Fabric(lut=ceil(1.8 * bits), ff=bits) * ((inputs - 1) * count)
        case Divide(bits=bits, count=count):
            return Fabric(lut=ceil(3.2 * bits) + 10, ff=3 * bits + 8) * count
        case Delay(bits=bits):
            return Fabric(lut=bits, ff=0)
        case Hold(bits=bits):
            return Fabric(lut=0, ff=bits)


def multiply_cost(part: Multiply, dsp: DspKind) -> Fabric:
    """As many DSP blocks as the factors have pieces: those of one factor in cascade (the lower bits wait in
    registers), a row of them for each piece of the other one, added up in LUTs (rtl_lib/twins/product.sv).

    In LUTs a row of bits for each bit of a factor.
    """
    if part.fabric:
        rows, bits = sorted((part.a, part.b))
        return Fabric(lut=(bits + 1) * rows + 4, ff=2 * (part.a + part.b)) * part.count
    wide, narrow = PORTS[dsp]
    rows, columns = min(
        ((_pieces(a, wide), _pieces(b, narrow)) for a, b in ((part.a, part.b), (part.b, part.a))),
        key=lambda sizes: (sizes[0] * sizes[1], sizes[0]),
    )
    sums = (rows - 1) * (part.a + part.b - wide + 1)
    low = (narrow - 1) * (columns - 1) * rows
    return Fabric(lut=sums, ff=low + (rows - 1) * (part.a + part.b), dsp=rows * columns) * part.count


def _pieces(bits: int, port: int) -> int:
    """Pieces of a signed number at a port: all but the highest are unsigned and so a bit narrower."""
    return 1 if bits <= port else 1 + ceil((bits - port) / (port - 1))


def dot_cost(part: Dot) -> Fabric:
    """For each bit of the weights two choices that are an adder's operands, two that its LUTs make, and the
    sum of these; then the bits' sums, and that of the words."""
    plane = part.value + 3
    lut = (6 * part.value + 2) * part.weight + (part.weight - 1) * (part.value + 5) + part.sum
    ff = part.weight * (3 * plane - 2) + part.weight + plane + part.sum + 3
    return Fabric(lut=lut, ff=ff) * part.count


def shift_cost(part: Shift) -> Fabric:
    """Two registers deep; a bit of the distance takes four fifths of a LUT a bit."""
    stages = (part.distances - 1).bit_length()
    return Fabric(lut=ceil(0.8 * part.bits * stages), ff=2 * part.bits + 4) * part.count


def choose_luts(ways: int) -> float:
    """LUTs for a bit of a choice, as Yosys makes them: Vivado would take half for many ways (MUXF7)."""
    return max(1.0, 0.59 * ways - 1.5)


def table_cost(part: Table) -> Fabric:
    """In LUTs: 64 words of a bit each, from 512 on a choice among them; once for each read of a cycle."""
    rows = ceil(part.words / 64)
    return Fabric(lut=ceil(part.bits * (rows + max(0, rows - 4) / 2)), ff=part.bits) * part.reads
