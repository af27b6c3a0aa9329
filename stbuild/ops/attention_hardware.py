"""What the processes of attention become in synthesis."""

from math import ceil

from stbuild.ir.kv import BANKS, BLOCK, BYTES, SLICES, KvHeads
from stbuild.ir.parts import Add, Choose, Clamp, Delay, Hold, Largest, Multiply, Part, Shift, Store, Table
from stbuild.ir.storage import Storage
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
PRODUCT_BITS = 24
"""Bits of a product of q and k (stb/attention_scores.hpp)."""
SCORE_BITS = 60
"""Bits of a product with both scales and the scores' factor."""
ROW_BITS, POSITION_BITS = 13, 18
"""Bits of the scales of a row, and of a position as far as its scores need them."""
VALUE_SUM_BITS, FACTOR_BITS, QUOTIENT_BITS = 48, 19, 18
"""Bits of a weighted sum of values, of the reciprocal of a total, of its quotient (stb/reciprocal.hpp)."""


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


def scores(context: int, chunk: int, *, rows: int, scale: int, cap: bool, slopes: bool) -> tuple[Part, ...]:
    """16 products to scores; `scale` is the bits of the scores' factor, `rows` how many rows a head has."""
    capped = (
        Table(words=513, bits=25, reads=2 * LANES),
        Multiply(a=ELEMENT, b=ELEMENT, count=2 * LANES),
        Multiply(a=25, b=19, count=LANES),
    )
    return (
        Store(name="rows", words=ceil(rows / LANES), bits=LANES * ROW_BITS, storage=Storage.LUTRAM),
        Store(
            name="positions",
            words=_position_words(context, chunk),
            bits=LANES * POSITION_BITS,
            storage=Storage.BRAM,
        ),
        Choose(ways=2, bits=LANES * PRODUCT_BITS, count=2),  # whose product; 0 where it is not seen
        Choose(ways=LANES, bits=ROW_BITS),
        Hold(bits=2 * WORD),
        Delay(bits=LANES * PRODUCT_BITS),
        Multiply(a=scale + 1, b=SCALE_BITS),
        Multiply(a=PRODUCT_BITS, b=SCALE_BITS, count=LANES),
        Multiply(a=scale + SCALE_BITS, b=PRODUCT_BITS + SCALE_BITS, count=LANES),
        Add(bits=6, count=LANES),
        Shift(bits=SCORE_BITS, distances=DISTANCES, count=LANES),
        Add(bits=34, count=LANES),
        Clamp(bits=34, count=LANES),
        Choose(ways=2, bits=WORD),
        Delay(bits=LANES * POSITION_BITS),
        Delay(bits=2 * WORD),
        *(capped if cap else ()),
        *((Multiply(a=ELEMENT, b=16, count=LANES), Add(bits=SUM, count=LANES)) if slopes else ()),
        Largest(inputs=LANES + 1, bits=ELEMENT),
        Largest(inputs=LANES + 1, bits=INT8),
    )


def _position_words(context: int, chunk: int) -> int:
    """Words of 16 positions, those of full blocks and the recent ones."""
    return 2 * ceil(context / BLOCK) + ceil((BLOCK - 1 + chunk) / LANES)


def weights(context: int, chunk: int) -> tuple[Part, ...]:
    """16 scores, and a row's sink, to powers of two; these by the values' mantissas, kept for two rows."""
    blocks = ceil(context / BLOCK)
    return (
        Store(
            name="scales", words=_position_words(context, chunk), bits=LANES * ROW_BITS, storage=Storage.BRAM
        ),
        Store(name="rows", words=2 * blocks, bits=LANES * (FOLDED_BITS - 1), banks=2, storage=Storage.BRAM),
        Hold(bits=3 * WORD),
        Delay(bits=LANES * ROW_BITS),
        Choose(ways=2, bits=LANES * ROW_BITS),
        Add(bits=ELEMENT, count=LANES + 1),
        Table(words=64, bits=17, reads=2 * (LANES + 1)),
        Add(bits=12, count=LANES + 1),
        Hold(bits=28 * (LANES + 1)),  # where in a step of the table, twice, and the shift
        Delay(bits=24 * (LANES + 1)),
        Multiply(a=12, b=11, count=LANES + 1),
        Add(bits=17, count=LANES + 1),
        Shift(bits=17, distances=32, count=LANES + 1),
        Multiply(a=WEIGHT_BITS, b=SCALE_BITS, count=LANES),
        Shift(bits=FOLDED_BITS, distances=32, count=LANES),
        Add(bits=ELEMENT, count=2 * LANES),
        Choose(ways=3, bits=BLOCK * INT8),
        Delay(bits=WORD),
    )


def values(kv: KvHeads, chunk: int) -> tuple[Part, ...]:
    """A word of the values of BANKS positions by their weights each cycle; 16 sums by the reciprocal of
    their total."""
    return (
        Store(
            name="values",
            words=ceil((BLOCK - 1 + chunk) / BANKS) * kv.record_words,
            bits=WORD,
            banks=BANKS,
            storage=Storage.LUTRAM,
        ),
        Add(bits=16, count=10),
        Choose(ways=LANES // BANKS, bits=BANKS * (FOLDED_BITS - 1)),
        Hold(bits=(3 + BANKS) * WORD),
        Delay(bits=2 * WORD),
        Multiply(a=FOLDED_BITS, b=INT8, count=BANKS * BYTES),
        Choose(ways=SLICES, bits=LANES * VALUE_SUM_BITS),
        Choose(ways=2, bits=VALUE_SUM_BITS, count=BYTES * kv.record_words),
        Add(bits=VALUE_SUM_BITS, count=BYTES * kv.record_words),
        Choose(ways=kv.value_tiles, bits=LANES * VALUE_SUM_BITS),
        Delay(bits=LANES * VALUE_SUM_BITS),
        *_reciprocal(),
        Multiply(a=FACTOR_BITS, b=VALUE_SUM_BITS, count=LANES),
        Shift(bits=SUM, distances=DISTANCES, count=LANES),
        Add(bits=34, count=LANES),
        Clamp(bits=34, count=LANES),
        Store(name="results", words=chunk * kv.heads * kv.value_tiles, bits=WORD, storage=Storage.URAM),
        Choose(ways=2, bits=WORD),
    )


def _reciprocal() -> tuple[Part, ...]:
    """A quotient bit by bit in a pipeline: each step's rest, the divisor and the bits so far."""
    return (
        Shift(bits=ELEMENT, distances=LANES),
        Add(bits=ELEMENT + 2, count=QUOTIENT_BITS),
        Hold(bits=QUOTIENT_BITS * (ELEMENT + QUOTIENT_BITS // 2)),
        Choose(ways=2, bits=ELEMENT + 1, count=QUOTIENT_BITS),
    )
