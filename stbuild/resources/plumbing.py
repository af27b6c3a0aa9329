"""The parts of the processes that are no streaming ops: those of `control`, a router and the engines."""

from stbuild.ir.design import WORD_BYTES, Design, Engine
from stbuild.ir.parts import Add, Choose, Clamp, Hold, Largest, Multiply, Part, Shift, Store
from stbuild.ir.plumbing import (
    Collect,
    ComputeUnit,
    Dispatch,
    Plumbing,
)
from stbuild.ir.types import GROUP

WORD = 8 * WORD_BYTES
ROWS, COLUMNS, QUAD = 16, 8, 4
"""Rows of a tile and columns in a word; words that a lane takes together."""
PAIR, SUM, SCALE, ELEMENT = 23, 64, 25, 32
"""Bits of two weights for one multiplier, of a row's sum, of a weight group's integer scale, of a result."""
ACTIVATION = 8 * GROUP + 3 * ELEMENT
"""Bits of a stored activation word that are read: the values, their scale, their sum, the exponent."""
ADDRESS = 64


def plumbing_hardware(op: Plumbing, design: Design) -> tuple[Part, ...]:
    """The parts of a process; its m_axi adapter is counted with its port, its FIFOs as streams."""
    match op:
        case Dispatch(engine=engine):
            return _dispatch(design, engine)
        case Collect():
            return _collect(op, design)
        case ComputeUnit(engine=engine):
            return unit_hardware(design.engines[engine], design.columns(engine))
        case _:
            return Add(bits=ADDRESS, count=2), Hold(bits=ADDRESS)


def unit_hardware(engine: Engine, columns: int) -> tuple[Part, ...]:
    """A compute unit: its lanes, and a choice among their results."""
    lane = lane_hardware(engine.token_lanes, columns // GROUP, engine.chunk)
    return *(lane * engine.lanes), Choose(ways=engine.lanes, bits=WORD)


def lane_hardware(token_lanes: int, groups: int, chunk: int) -> tuple[Part, ...]:
    """`stb::mac_lane` as it is written: two rows' weights in one multiplier, summed over 8 columns; a scale
    and a shift for each row; D and M once a weight group, four rows in a cycle. Headers are taken at one a
    cycle, results four rows at once."""
    passes = -(-chunk // token_lanes)
    pairs, rows = ROWS // 2 * token_lanes, ROWS * token_lanes
    at_once = ROWS // QUAD * token_lanes
    return (
        Store(name="acts", words=groups * passes, bits=ACTIVATION, banks=token_lanes),
        Multiply(a=PAIR, b=8, count=COLUMNS * pairs),
        Add(bits=PAIR + 11, count=(COLUMNS - 1) * pairs),
        Add(bits=18, count=pairs + rows),
        Multiply(a=18, b=9, count=rows),
        Shift(bits=SUM, distances=32, count=rows),
        Add(bits=SUM, count=rows),
        Store(name="x", words=passes, bits=SUM, banks=rows),
        Hold(bits=rows * SUM),
        Multiply(a=SUM, b=SCALE, count=2 * at_once),
        Add(bits=SUM, count=2 * at_once),
        Store(name="rows", words=QUAD * passes, bits=SUM, banks=at_once),
        *_headers(),
        *_results(),
    )


def _headers() -> tuple[Part, ...]:
    """A scale and a minimum for each row, from fp16: a shift to either side, and a sign."""
    return (
        Shift(bits=SCALE, distances=32, count=2 * 2 * ROWS),
        Add(bits=SCALE, count=2 * ROWS),
        Hold(bits=2 * ROWS * SCALE),
    )


def _results() -> tuple[Part, ...]:
    """Four rows of a result: rounded shifts to either side, saturated."""
    rows = ROWS // QUAD
    return (
        Add(bits=SUM, count=rows),
        Shift(bits=SUM, distances=64, count=rows),
        Shift(bits=SUM, distances=32, count=rows),
        Clamp(bits=SUM, count=2 * rows),
    )


def _dispatch(design: Design, engine: int) -> tuple[Part, ...]:
    dispatch, _ = design.router(engine)
    return (
        Store(name="vector", words=design.columns(engine) // GROUP, bits=8 * (GROUP + 2)),
        Choose(ways=max(len(dispatch.reads) - 1, 1), bits=WORD),
        Largest(inputs=2, bits=8),
        Add(bits=13, count=GROUP - 1),
        Multiply(a=14, b=9),
        Shift(bits=8, distances=32, count=2),
    )


def _collect(op: Collect, design: Design) -> tuple[Part, ...]:
    engine = design.engines[op.engine]
    return (
        Store(name="buffer", words=engine.chunk * op.max_tiles, bits=WORD),
        Choose(ways=engine.units, bits=WORD),
        Multiply(a=18, b=18),
    )
