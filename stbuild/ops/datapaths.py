"""Datapaths that several processes share: what hls_lib does to the elements of one word."""

from stbuild.ir.parts import Add, Clamp, Hold, Largest, Multiply, Part, Shift, Store, Table
from stbuild.ir.storage import Storage
from stbuild.ir.types import LANES

ELEMENT = 32
"""Bits of an element of a vector."""
SUM = 64
"""Bits of what a product is rounded in."""
WORD = ELEMENT * LANES
"""Bits of a stream word."""
LEAST_SHIFT = 12
"""By how much products are shifted at least."""
SCALED = 35
"""Bits of a product by a scale's reciprocal, shifted by the least that the scale says."""
GROUP_WORDS = 32
"""Room for the words of the groups whose scale is being found."""
DISTANCES = 64
"""By how many bits a sum may be shifted."""


def saturated_sum(operands: int = 2) -> tuple[Part, ...]:
    """A sum of two words, of which `operands` are held, saturated."""
    return (
        Hold(bits=operands * WORD),
        Add(bits=ELEMENT + 1, count=LANES),
        Clamp(bits=ELEMENT + 1, count=LANES),
    )


def rounded_product(a: int, b: int) -> tuple[Part, ...]:
    """A product of `a` by `b` bits in each lane: rounded in its block, shifted by a constant, saturated."""
    return (
        Hold(bits=LANES * a),
        Multiply(a=a, b=b, count=LANES),
        Hold(bits=LANES * SUM),
        Clamp(bits=SUM - LEAST_SHIFT, count=LANES),
    )


def quantiser() -> tuple[Part, ...]:
    """A word in 8 bits: the largest of its group, the scale, 16 products, shifted as the scale says."""
    return (
        Hold(bits=WORD),
        Store(name="groups", words=GROUP_WORDS, bits=WORD),
        Add(bits=ELEMENT, count=LANES),
        Largest(inputs=2, bits=ELEMENT, count=LANES),
        Largest(inputs=LANES, bits=ELEMENT),
        *scale_of_group(),
        Multiply(a=ELEMENT, b=17, count=LANES),
        Shift(bits=SCALED, distances=32, count=LANES),
        Hold(bits=LANES * SCALED),
        Add(bits=14, count=LANES),
    )


def scale_of_group() -> tuple[Part, ...]:
    """A mantissa, an exponent and a reciprocal from the largest of a group."""
    return (
        Add(bits=ELEMENT + 1, count=2),
        Multiply(a=ELEMENT + 1, b=ELEMENT + 2),
        Shift(bits=ELEMENT + 1, distances=32),
        Add(bits=ELEMENT + 1),
        Table(words=128, bits=16),
    )


def vector(name: str, words: int, storage: Storage | None = None) -> Store:
    """An array of `words` words."""
    return Store(name=name, words=words, bits=WORD, storage=storage)
