"""What the processes of attention become in synthesis."""

from stbuild.ir.kv import BANKS, BLOCK, BYTES, KvHeads
from stbuild.ir.parts import Add, Clamp, Divide, Largest, Multiply, Part, Shift, Store, Table
from stbuild.ir.types import LANES
from stbuild.ops.datapaths import DISTANCES, ELEMENT, SUM, WORD, quantiser, vector

INT8 = 8
PAIR_BITS = 27
"""Bits of two keys' bytes, 18 bits apart, for one DSP."""
CASCADE = 8
"""Products that add up in a cascade of DSPs."""
WEIGHT_BITS = 18
"""Bits of a power of two with 16 fraction bits, and a sign."""
FOLDED_BITS = 25
"""Bits of a weight with the value's mantissa, and a sign."""
SCALE_BITS = 9
"""Bits of a scale's mantissa, and a sign."""
SCALES_BITS = 4 * INT8
"""Bits of the scales of a position's key and value."""


def heads(kv: KvHeads, chunk: int) -> tuple[Part, ...]:
    """Stores for a chunk and the recent positions; a word of a query by BANKS words of keys each cycle, of
    which a DSP takes two."""
    positions = BLOCK - 1 + chunk
    words = chunk * kv.heads * kv.record_words
    bank = -(-positions // BANKS) * kv.kv_heads * kv.record_words
    return (
        Store(name="ahead", words=kv.value_tiles, bits=WORD, banks=2),
        vector("queries", words),
        Store(name="keys", words=bank, bits=WORD, banks=BANKS),
        vector("values", positions * kv.kv_heads * kv.record_words),
        Store(name="scales", words=positions * -(-kv.kv_heads // LANES), bits=WORD),
        *quantiser(),
        Multiply(a=PAIR_BITS, b=INT8, count=BANKS // 2 * BYTES),
        Add(bits=ELEMENT, count=BANKS * BYTES // CASCADE),
    )


def scores(kv: KvHeads, context: int, *, scale: int, cap: bool, slopes: bool) -> tuple[Part, ...]:
    """16 products to scores; `scale` is the bits of the scores' factor."""
    product = (kv.head_dim * 127**2).bit_length() + 1
    capped = (
        Table(words=513, bits=25, reads=2 * LANES),
        Multiply(a=ELEMENT, b=ELEMENT, count=2 * LANES),
        Multiply(a=25, b=19, count=LANES),
    )
    return (
        Store(name="scales", words=context // LANES, bits=LANES * SCALES_BITS),
        Multiply(a=product, b=SCALE_BITS, count=LANES),
        Multiply(a=product + INT8, b=scale + SCALE_BITS, count=LANES),
        Add(bits=SUM, count=LANES),
        Shift(bits=SUM, distances=DISTANCES, count=LANES),
        Clamp(bits=SUM, count=LANES),
        *(capped if cap else ()),
        *((Multiply(a=ELEMENT, b=16, count=LANES), Add(bits=SUM, count=LANES)) if slopes else ()),
        Largest(inputs=LANES + 1, bits=ELEMENT),
        Largest(inputs=LANES + 1, bits=INT8),
    )


def weights(context: int) -> tuple[Part, ...]:
    """16 scores to powers of two, these by the values' mantissas."""
    return (
        Store(name="scales", words=context // LANES, bits=LANES * 2 * INT8),
        Store(name="rows", words=2 * context // BLOCK, bits=LANES * (FOLDED_BITS - 1), banks=2),
        Add(bits=ELEMENT, count=LANES),
        Table(words=65, bits=17, reads=2 * LANES),
        Multiply(a=WEIGHT_BITS, b=11, count=LANES),
        Multiply(a=WEIGHT_BITS, b=SCALE_BITS, count=LANES),
        Shift(bits=ELEMENT, distances=32, count=2 * LANES),
        Add(bits=SUM, count=LANES),
    )


def values(kv: KvHeads, chunk: int) -> tuple[Part, ...]:
    """A word of the values of BANKS positions by their weights each cycle; 16 sums by the reciprocal of
    their total."""
    return (
        Store(
            name="values", words=-(-(BLOCK - 1 + chunk) // BANKS) * kv.record_words, bits=WORD, banks=BANKS
        ),
        Multiply(a=FOLDED_BITS, b=INT8, count=BANKS * BYTES),
        Add(bits=FOLDED_BITS + INT8 + 2, count=(BANKS - 1) * BYTES),
        Store(name="sums", words=kv.record_words, bits=SUM, banks=BYTES),
        Add(bits=SUM, count=BYTES),
        vector("results", chunk * kv.heads * kv.value_tiles),
        Divide(bits=SUM),
        Multiply(a=50, b=49, count=LANES),
        Add(bits=SUM, count=LANES),
        Shift(bits=SUM, distances=DISTANCES, count=LANES),
        Clamp(bits=SUM, count=LANES),
    )
