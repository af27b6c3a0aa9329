"""What `stb::attention` becomes in synthesis: the stores of a run, products with keys and values, softmax."""

from stbuild.ir.parts import Add, Clamp, Divide, Largest, Multiply, Part, Shift, Store, Table
from stbuild.ir.types import LANES
from stbuild.ops.datapaths import DISTANCES, ELEMENT, SUM, WORD, quantiser

BYTES = 64
"""int8 elements of a word."""
WEIGHT_BITS = 18
"""Bits of a power of two with 16 fraction bits, and a sign."""
PRODUCT_BITS = 25
"""Bits of that weight times the mantissa of a scale, and a sign."""
SCALE_BITS = 9
"""Bits of a scale's mantissa, and a sign."""


def attention_hardware(
    *, heads: int, kv_heads: int, head_dim: int, chunk: int, context: int, cap: bool, slopes: bool
) -> tuple[Part, ...]:
    """Its parts. `shared` query heads of a KV head go on together, each with arrays of its own."""
    shared = heads // kv_heads
    words = kv_heads * -(-head_dim // BYTES)
    return (
        *_stores(shared, chunk * words, kv_heads * context, chunk),
        *quantiser(),
        Multiply(a=8, b=8, count=BYTES * shared, fabric=True),
        Add(bits=ELEMENT, count=BYTES * shared),
        *_scores(shared, cap, slopes),
        Multiply(a=PRODUCT_BITS, b=8, count=BYTES * shared),
        Add(bits=ELEMENT + 1, count=2 * BYTES * shared),
        *_results(),
    )


def _stores(shared: int, words: int, positions: int, chunk: int) -> tuple[Part, ...]:
    """`words` of a chunk's heads, `positions` of all KV heads: queries and scores for each shared head."""
    return (
        Store(name="q", words=words, bits=16 * BYTES, banks=shared),
        Store(name="key", words=words, bits=WORD),
        Store(name="value", words=words, bits=WORD),
        Store(name="key_scale", words=positions, bits=16),
        Store(name="value_scale", words=positions, bits=16),
        Store(name="score", words=chunk * positions, bits=ELEMENT, banks=shared),
        Store(name="sums", words=words, bits=2 * ELEMENT * BYTES, banks=shared),
    )


def _scores(shared: int, cap: bool, slopes: bool) -> tuple[Part, ...]:
    """Dot products to scores to weights, a position a cycle for each head."""
    capped = (
        Table(words=513, bits=25, reads=2 * shared),
        Multiply(a=ELEMENT, b=ELEMENT, count=2 * shared),
        Multiply(a=25, b=19, count=shared),
    )
    return (
        Multiply(a=ELEMENT, b=SCALE_BITS, count=shared),
        Multiply(a=41, b=SUM, count=shared),
        Add(bits=SUM, count=shared),
        Shift(bits=SUM, distances=DISTANCES, count=shared),
        Clamp(bits=SUM, count=shared),
        *(capped if cap else ()),
        *((Multiply(a=ELEMENT, b=16, count=shared), Add(bits=SUM, count=shared)) if slopes else ()),
        Largest(inputs=2, bits=ELEMENT, count=shared),
        Table(words=65, bits=17, reads=2 * shared),
        Multiply(a=WEIGHT_BITS, b=11, count=shared),
        Multiply(a=WEIGHT_BITS, b=SCALE_BITS, count=shared),
        Shift(bits=ELEMENT, distances=32, count=2 * shared),
        Add(bits=SUM, count=shared),
    )


def _results() -> tuple[Part, ...]:
    """16 elements a cycle over the total of their head."""
    return (
        Divide(bits=SUM),
        Multiply(a=50, b=49, count=LANES),
        Add(bits=SUM, count=LANES),
        Shift(bits=SUM, distances=DISTANCES, count=LANES),
        Clamp(bits=SUM, count=LANES),
    )
