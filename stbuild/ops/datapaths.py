"""Datapaths that several processes share: what hls_lib does to the elements of one word."""

from stbuild.ir.parts import Add, Clamp, Divide, Largest, Multiply, Part, Shift, Store, Table
from stbuild.ir.types import LANES

ELEMENT = 32
"""Bits of an element of a vector."""
SUM = 64
"""Bits of what a product is rounded in."""
WORD = ELEMENT * LANES
"""Bits of a stream word."""
DISTANCES = 64
"""By how many bits a sum may be shifted."""


def saturated_sum() -> tuple[Part, ...]:
    """A sum of two words, saturated."""
    return Add(bits=ELEMENT + 1, count=LANES), Clamp(bits=ELEMENT + 1, count=LANES)


def rounded_product(a: int, b: int) -> tuple[Part, ...]:
    """A product of `a` by `b` bits in each lane, shifted by a constant, rounded and saturated."""
    return (
        Multiply(a=a, b=b, count=LANES),
        Add(bits=SUM, count=LANES),
        Clamp(bits=SUM, count=LANES),
    )


def quantiser() -> tuple[Part, ...]:
    """A word in 8 bits: the largest of it, its scale, 16 products, shifted by what the scale says."""
    return (
        Largest(inputs=LANES, bits=ELEMENT),
        Divide(bits=40),
        Table(words=128, bits=16),
        Multiply(a=ELEMENT, b=17, count=LANES),
        Add(bits=49, count=LANES),
        Shift(bits=49, distances=DISTANCES, count=LANES),
        Clamp(bits=ELEMENT + 1, count=LANES),
    )


def vector(name: str, words: int) -> Store:
    """An array of `words` words."""
    return Store(name=name, words=words, bits=WORD)
