"""Where an array or a FIFO lies: in LUTs, BRAM or URAM, whichever is cheapest for its geometry."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from stbuild.ir.storage import Storage
from stbuild.platform import Fabric


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Width and depth of a block with a write and a read port; `size` is what it counts for."""

    width: int
    depth: int
    size: float = 1.0

    def tiles(self, words: int, bits: int) -> float:
        """How many an array needs, times their size."""
        return self.size * -(-bits // self.width) * self._rows(words)

    def choice_luts(self, words: int, bits: int) -> int:
        """A choice among blocks one behind the other: a LUT takes four."""
        rows = self._rows(words)
        return bits * -(-(rows - 1) // 3) + rows if rows > 1 else 0

    def _rows(self, words: int) -> int:
        return -(-words // self.depth)


BRAM_SHAPES = (
    *(Shape(width=w, depth=d) for w, d in ((72, 512), (36, 1024), (18, 2048), (9, 4096), (4, 8192))),
    *(Shape(width=w, depth=d, size=0.5) for w, d in ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192))),
)
"""Tiles of 36 Kbit and their halves, in the shapes of more than a bit (AMD UG573)."""
URAM = Shape(width=72, depth=4096)
"""The one shape of UltraScale+ (AMD UG573): two narrow words in one, as Yosys makes, are not counted on."""
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
            shape = min(BRAM_SHAPES, key=lambda s: (s.tiles(words, bits), s.choice_luts(words, bits)))
            return Fabric(lut=shape.choice_luts(words, bits), ff=2, bram36=shape.tiles(words, bits))
        case Storage.URAM:
            blocks = int(URAM.tiles(words, bits))
            return Fabric(lut=URAM.choice_luts(words, bits), ff=2, uram=blocks)
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


def _cheapest(bounds: Iterator[Bound], available: Fabric) -> Bound:
    return min(bounds, key=lambda bound: _share(bound, available))


def _share(bound: Bound, available: Fabric) -> float:
    """What it takes of the scarcest resource that it takes."""
    cost = bound.cost
    in_luts = bound.storage in (Storage.SRL, Storage.LUTRAM)
    luts = _part(cost.lut, available.lut) / (MEMORY_LUTS if in_luts else 1)
    return max(luts, _part(cost.bram36, available.bram36), _part(cost.uram, available.uram))


def _part(used: float, available: float) -> float:
    """What is used of what there is; a card may have none of it."""
    return used / available if available else inf if used else 0.0
