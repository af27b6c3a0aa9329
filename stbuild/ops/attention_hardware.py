"""What the processes of attention become in synthesis."""

from stbuild.ir.kv import BLOCK, BYTES, KvHeads
from stbuild.ir.parts import Add, Clamp, Divide, Largest, Multiply, Part, Shift, Store, Table
from stbuild.ir.types import LANES
from stbuild.ops.datapaths import DISTANCES, ELEMENT, SUM, WORD, quantiser, vector

INT8 = 8
WEIGHT_BITS = 18
"""Bits of a power of two with 16 fraction bits, and a sign."""
FOLDED_BITS = 25
"""Bits of a weight with the value's mantissa, and a sign."""
SCALE_BITS = 9
"""Bits of a scale's mantissa, and a sign."""
SCALES_BITS = 4 * INT8
"""Bits of the scales of a position's key and value."""


def heads(kv: KvHeads, chunk: int) -> tuple[Part, ...]:
    """Stores for a chunk and the recent positions; a word of a query by a word of a key each cycle."""
    queries, recent = chunk * kv.heads, (BLOCK - 1 + chunk) * kv.kv_heads
    return (
        vector("raw", queries * kv.value_tiles),
        vector("queries", queries * kv.record_words),
        Store(name="keys", words=recent * kv.record_words, bits=WORD),
        Store(name="values", words=recent * kv.record_words, bits=WORD),
        Store(name="scales", words=recent, bits=SCALES_BITS),
        *quantiser(),
        Multiply(a=INT8, b=INT8, count=BYTES, fabric=True),
        Add(bits=ELEMENT, count=BYTES),
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
        Store(name="row", words=context // LANES, bits=LANES * (FOLDED_BITS - 1)),
        Add(bits=ELEMENT, count=LANES),
        Table(words=65, bits=17, reads=2 * LANES),
        Multiply(a=WEIGHT_BITS, b=11, count=LANES),
        Multiply(a=WEIGHT_BITS, b=SCALE_BITS, count=LANES),
        Shift(bits=ELEMENT, distances=32, count=2 * LANES),
        Add(bits=SUM, count=LANES),
    )


def values(kv: KvHeads, chunk: int) -> tuple[Part, ...]:
    """A word of a value by its weight each cycle; 16 sums by the reciprocal of their total."""
    return (
        Store(name="values", words=(BLOCK - 1 + chunk) * kv.record_words, bits=WORD),
        Multiply(a=FOLDED_BITS, b=INT8, count=BYTES),
        Store(name="sums", words=kv.record_words, bits=SUM, banks=BYTES),
        Add(bits=SUM, count=BYTES),
        vector("results", chunk * kv.heads * kv.value_tiles),
        Divide(bits=SUM),
        Multiply(a=50, b=49, count=LANES),
        Add(bits=SUM, count=LANES),
        Shift(bits=SUM, distances=DISTANCES, count=LANES),
        Clamp(bits=SUM, count=LANES),
    )
