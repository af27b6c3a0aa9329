"""The parts of a lane of the matmul engine: `stb::mac_lane` as it is written (hls_lib's tile.hpp)."""

from collections.abc import Iterator

from stbuild.ir.design import WORD_BYTES
from stbuild.ir.lane_shape import QUAD, ROWS, LaneShape
from stbuild.ir.parts import Add, Choose, Clamp, Delay, Dot, Hold, Multiply, Part, Shift, Store
from stbuild.ir.storage import Storage
from stbuild.ir.types import GROUP

WORD = 8 * WORD_BYTES
COLUMNS = 8
"""Columns in a word of weights."""
AT_ONCE = ROWS // QUAD
"""Rows whose dots are scaled, or that are rounded, in a cycle."""
ACTIVATION = 8 * GROUP + 32
"""Bits of a stored activation word: the values, and their scale, sum and exponent."""
CHAINED = 2
"""DSPs of a chain whose factors need no shift registers: the first, and one whose own registers do."""
GROUP_WORDS = 32
"""Words of a weight group at most."""
NIBBLE, WEIGHTS, VALUE, ASUM, DOT, PAIR, SCALE = 4, 23, 9, 14, 18, 37, 25
"""Bits: a weight, two weights for one DSP, an activation (or a mantissa), the sum of 32, a dot product, those
of two rows, a scale of activations."""
X, SA, ROW_SCALE, SLICE, SUM = 44, 35, 25, 18, 64
"""Bits: the sums that D and M meet, D or M, what a DSP takes of those sums, a row's sum (lane_sums.hpp)."""
ZERO_POINT = 6
"""Bits of a zero point and its sign."""
SLICES = 5
"""DSPs for a row: three slices of x times D, two of the activations' sum times M."""


def lane_hardware(shape: LaneShape, fabric: int = 0) -> tuple[Part, ...]:
    """The parts of one lane: its token lanes, of which `fabric` multiply in LUTs, and what they share."""
    multipliers = (*(_in_dsps() * (shape.token_lanes - fabric)), *(_in_luts() * fabric))
    return *multipliers, *(_token_lane(shape) * shape.token_lanes), *_shared(shape)


def raw_rows(shape: LaneShape) -> tuple[Part, ...]:
    """What four rows of keys or values a cycle need beside the adders of a lane's rows."""
    more = AT_ONCE - shape.rows_at_once
    one = (Add(bits=X, count=more), Add(bits=SUM, count=more)) if more else ()
    return one * shape.token_lanes


def _in_dsps() -> tuple[Part, ...]:
    """A block multiplies an activation by two rows' weights, eight of them in a chain."""
    return Multiply(a=WEIGHTS, b=VALUE, count=COLUMNS * ROWS // 2), Delay(bits=(COLUMNS - CHAINED) * VALUE)


def _in_luts() -> tuple[Part, ...]:
    """The sums of neighbouring columns, the rows' dots of a word, which wait for those in DSPs."""
    return (
        Add(bits=VALUE + 1, count=COLUMNS // 2),
        Dot(weight=NIBBLE, value=VALUE, sum=DOT, count=ROWS),
        Delay(bits=ROWS * (NIBBLE + VALUE + 3)),
    )


def _token_lane(shape: LaneShape) -> tuple[Part, ...]:
    return (
        Store(name="acts", words=shape.stored_groups, bits=ACTIVATION, storage=Storage.URAM),
        Hold(bits=ROWS // 2 * PAIR),
        *_dots(),
        *_rows(shape),
    )


def _dots() -> tuple[Part, ...]:
    """The scale of a quad meets four rows a cycle; the activations' sum is a product in LUTs."""
    return (
        Shift(bits=SCALE, distances=32),
        Choose(ways=QUAD, bits=PAIR, count=AT_ONCE // 2),
        Add(bits=DOT, count=AT_ONCE),
        Multiply(a=SCALE, b=DOT, count=AT_ONCE),
        Store(name="x", words=QUAD, bits=X, banks=AT_ONCE, storage=Storage.LUTRAM),
        Hold(bits=ROWS * X),
        Multiply(a=ASUM, b=VALUE, fabric=True),
        Shift(bits=SA, distances=16),
        Add(bits=SA),
        Hold(bits=SA),
    )


def _rows(shape: LaneShape) -> tuple[Part, ...]:
    """D and M meet a weight group, `rows_at_once` rows a cycle."""
    count = shape.rows_at_once
    return (
        Choose(ways=ROWS // count, bits=X, count=count),
        Add(bits=X, count=count),
        Multiply(a=ROW_SCALE, b=SLICE, count=SLICES * count),
        Delay(bits=(SLICES - CHAINED) * SLICE * count),
        Add(bits=SUM, count=count),
        Store(name="rows", words=QUAD * shape.passes, bits=SUM, banks=AT_ONCE),
        *_choice(AT_ONCE // count, SUM, count),
    )


def _shared(shape: LaneShape) -> Iterator[Part]:
    """Counters, weights and scales on their way down the DSPs, words for further passes, headers, results."""
    count = shape.rows_at_once
    yield from (Add(bits=16, count=10), Hold(bits=2 * WORD))
    yield Delay(bits=(COLUMNS - CHAINED) * WORD // COLUMNS + (SLICES - CHAINED) * ROW_SCALE * count)
    yield from (Store(name="words", words=GROUP_WORDS, bits=WORD, storage=Storage.LUTRAM),)
    yield from (
        Choose(ways=ROWS // count, bits=16, count=2 * count),
        Shift(bits=31, distances=32, count=2 * count),
        Add(bits=ROW_SCALE, count=2 * count),
    )
    if shape.zero_points:
        yield Multiply(a=ROW_SCALE, b=ZERO_POINT, count=count, fabric=True)
        yield Choose(ways=2, bits=ROW_SCALE, count=count)
    yield from _choice(shape.token_lanes, SUM, AT_ONCE)
    yield from (
        Add(bits=SUM, count=AT_ONCE),
        Shift(bits=SUM, distances=64, count=AT_ONCE),
        Shift(bits=SUM, distances=32, count=AT_ONCE),
        Clamp(bits=SUM, count=2 * AT_ONCE),
    )


def _choice(ways: int, bits: int, count: int) -> tuple[Part, ...]:
    return (Choose(ways=ways, bits=bits, count=count),) if ways > 1 else ()
