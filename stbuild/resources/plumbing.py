"""The parts of the processes that are no streaming ops: those of `control`, a router and the engines."""

from stbuild.ir.design import WORD_BYTES, Design
from stbuild.ir.lane_shape import LaneShape, lane_shape
from stbuild.ir.parts import Add, Choose, Delay, Hold, Multiply, Part, Shift, Store
from stbuild.ir.plumbing import (
    Collect,
    ComputeUnit,
    Dispatch,
    Plumbing,
    Sequence,
)
from stbuild.ir.storage import Storage
from stbuild.ir.types import GROUP
from stbuild.resources.lane import lane_hardware, raw_rows

WORD = 8 * WORD_BYTES
ADDRESS = 64
FACTOR = 25
"""Bits of one over a number of channels."""
PROGRAM_WORDS = 16
"""Descriptors that the sequencer reads at a time."""


def plumbing_hardware(op: Plumbing, design: Design) -> tuple[Part, ...]:
    """The parts of a process; its m_axi adapter is counted with its port, its FIFOs as streams."""
    match op:
        case Dispatch(engine=engine):
            return _dispatch(design, engine)
        case Collect():
            return _collect(op, design)
        case ComputeUnit(engine=engine, unit=unit):
            return unit_hardware(design.engines[engine].fabric_lanes(unit), lane_shape(design, engine))
        case Sequence():
            return sequence_hardware()
        case _:
            return Add(bits=ADDRESS, count=2), Hold(bits=ADDRESS)


def unit_hardware(fabric: tuple[int, ...], shape: LaneShape) -> tuple[Part, ...]:
    """A compute unit: its lanes, with so many token lanes in LUTs, a fan in front, a choice behind."""
    lanes = (part for count in fabric for part in (*lane_hardware(shape, count), *raw_rows(shape)))
    return *lanes, *fan_hardware(len(fabric)), *merge_hardware(len(fabric))


def fan_hardware(lanes: int) -> tuple[Part, ...]:
    """A descriptor and two words on their way, and for each lane whether it has tiles of a raw op."""
    return Hold(bits=3 * WORD), Add(bits=16, count=3 * lanes + 4)


def merge_hardware(lanes: int) -> tuple[Part, ...]:
    """A choice among the lanes' results, and a word on its way out."""
    return *_choice(lanes), Hold(bits=WORD), Add(bits=16, count=5)


def _choice(ways: int) -> tuple[Part, ...]:
    return (Choose(ways=ways, bits=WORD),) if ways > 1 else ()


def sequence_hardware() -> tuple[Part, ...]:
    """Descriptors as they come from memory, the rows of an op, the channel of its first tile."""
    return (
        Store(name="words", words=PROGRAM_WORDS, bits=WORD, storage=Storage.LUTRAM),
        Hold(bits=2 * WORD),
        Multiply(a=FACTOR, b=17, count=2),
        Add(bits=16, count=12),
        Add(bits=ADDRESS, count=2),
        Hold(bits=ADDRESS),
    )


def _dispatch(design: Design, engine: int) -> tuple[Part, ...]:
    dispatch, _ = design.router(engine)
    groups = lane_shape(design, engine).columns // GROUP
    return dispatch_hardware(sources=max(len(dispatch.reads) - 1, 1), groups=groups)


def dispatch_hardware(*, sources: int, groups: int) -> tuple[Part, ...]:
    """A descriptor, its tiles by channel, a vector's memory, the sum and the scale of its words on their way
    out."""
    word = 8 * (GROUP + 2)
    return (
        Store(name="vector", words=groups, bits=word, storage=Storage.BRAM),
        *((Choose(ways=sources, bits=word),) if sources > 1 else ()),
        Hold(bits=WORD + word),
        Multiply(a=FACTOR, b=17, count=2),
        Delay(bits=word),
        Add(bits=11, count=GROUP - 1),
        Shift(bits=8, distances=16),
        Add(bits=16, count=4),
    )


def _collect(op: Collect, design: Design) -> tuple[Part, ...]:
    engine = design.engines[op.engine]
    return collect_hardware(len(engine.lanes), engine.batch * op.max_tiles)


def collect_hardware(units: int, words: int) -> tuple[Part, ...]:
    """A choice among the units, and a memory of results of which a word is on its way in, one out; where each
    is, and of which token and tile."""
    return (
        Store(name="buffer", words=words, bits=WORD, storage=Storage.URAM),
        *_choice(units),
        Hold(bits=2 * WORD),
        Choose(ways=2, bits=WORD),
        Add(bits=16, count=16),
    )
