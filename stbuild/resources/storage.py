"""Where an array or a FIFO lies: in LUTs, BRAM or URAM, whichever is cheapest for its geometry."""

from collections.abc import Iterator
from dataclasses import dataclass

from stbuild.ir.storage import Storage
from stbuild.platform import Fabric

BRAM18 = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))
"""Width and depth of half a block with a write and a read port (AMD UG573)."""
BRAM36 = ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192), (2, 16384), (1, 32768))
URAM = (72, 4096)
"""The one shape of UltraScale+ (AMD UG573): two narrow words in one, which Yosys makes, are not counted on."""
LUTS_A_CELL = 8
"""A cell of LUT memory: 8 LUTs hold 14 bits of 32 words, or 7 of 64 (AMD UG574: RAM32M16, RAM64M8)."""
MEMORY_LUTS = 0.46
"""Of the LUTs those that can be memory: 600,960 of 1,303,680 on the die of U55C and U280 (general knowledge,
not found in public material); LUT memory is as much dearer."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """An array or a FIFO in its memory, with what that takes."""

    storage: Storage
    cost: Fabric


def bind_array(words: int, bits: int, available: Fabric) -> Bound:
    """An array that is written and read in each cycle, where it takes the least share of `available`."""
    kinds = (Storage.LUTRAM, Storage.BRAM, Storage.URAM)
    return _cheapest((Bound(storage=kind, cost=array_in(kind, words, bits)) for kind in kinds), available)


def bind_fifo(depth: int, bits: int, available: Fabric) -> Bound:
    """A FIFO, where it takes the least share of `available`."""
    return _cheapest((Bound(storage=kind, cost=fifo_in(kind, depth, bits)) for kind in Storage), available)


def array_in(storage: Storage, words: int, bits: int) -> Fabric:
    """What an array takes in a memory."""
    match storage:
        case Storage.LUTRAM:
            return Fabric(lut=lutram_luts(words, bits), ff=bits)
        case Storage.BRAM:
            return Fabric(lut=0, ff=0, bram36=bram_tiles(words, bits))
        case Storage.URAM:
            return Fabric(lut=0, ff=0, uram=uram_blocks(words, bits))
        case Storage.SRL:
            raise ValueError("an array does not lie in shift registers")


def fifo_in(storage: Storage, depth: int, bits: int) -> Fabric:
    """What a FIFO takes in a memory, its counters among it."""
    width = max(depth, 2).bit_length()
    if storage is Storage.SRL:
        return Fabric(lut=srl_luts(depth, bits) + 3 * width, ff=width)
    return array_in(storage, depth, bits) + Fabric(lut=2 * width + 4, ff=3 * width)


def srl_luts(depth: int, bits: int) -> int:
    """A LUT shifts a bit by up to 32; two or four of them need no further LUT to choose (MUXF7, MUXF8)."""
    rows = -(-depth // 32)
    return bits * rows + bits * (-(-rows // 4) - 1)


def lutram_luts(words: int, bits: int) -> int:
    """Cells, and from 64 words on a choice among them."""
    if words <= 32:
        return LUTS_A_CELL * -(-bits // 14)
    rows = -(-words // 64)
    chosen = bits * -(-(rows - 1) // 3) + 2 * (rows - 1)
    return rows * LUTS_A_CELL * -(-bits // 7) + chosen


def bram_tiles(words: int, bits: int) -> float:
    """Tiles of 36 Kbit in the shape that needs the fewest; half a tile is a block of its own."""
    whole = min(_blocks(words, bits, shape) for shape in BRAM36)
    return min(float(whole), min(_blocks(words, bits, shape) for shape in BRAM18) / 2)


def uram_blocks(words: int, bits: int) -> int:
    """Blocks of 72 bits by 4,096 words."""
    return _blocks(words, bits, URAM)


def _blocks(words: int, bits: int, shape: tuple[int, int]) -> int:
    width, depth = shape
    return -(-bits // width) * -(-words // depth)


def _cheapest(bounds: Iterator[Bound], available: Fabric) -> Bound:
    return min(bounds, key=lambda bound: _share(bound, available))


def _share(bound: Bound, available: Fabric) -> float:
    """What it takes of the scarcest resource that it takes."""
    cost = bound.cost
    in_luts = bound.storage in (Storage.SRL, Storage.LUTRAM)
    luts = cost.lut / available.lut / (MEMORY_LUTS if in_luts else 1)
    brams = cost.bram36 / available.bram36 if cost.bram36 else 0.0
    return max(luts, brams, cost.uram / available.uram if cost.uram else 0.0)
