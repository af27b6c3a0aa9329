"""How a cell and a night can end, and the exit code that says so."""

from collections.abc import Iterable
from enum import Enum


class Outcome(Enum):
    """What came of a cell; of a night, the first of these that one of its cells has."""

    WRONG_RESULT = "wrong result"
    BUILD_FAILED = "build failed"
    BROKEN_DEVICE = "broken device"
    SLOWDOWN = "slowdown"
    NOT_MEASURED = "not measured"
    GOOD = "good"


class Fault(Enum):
    """What a device did wrong."""

    HUNG = "hung kernel"
    WRONG_BITS = "wrong bits"
    LOST = "lost device"
    SLOW = "slow device"
    THERMAL = "thermal stop"
    FAILED = "failed launch"
    BUSY = "device busy"
    DISK_FULL = "disk full"
    REFUSED = "device cannot be opened"


EXIT_CODES = {
    Outcome.GOOD: 0,
    Outcome.BUILD_FAILED: 1,
    Outcome.WRONG_RESULT: 3,
    Outcome.SLOWDOWN: 4,
    Outcome.BROKEN_DEVICE: 5,
    Outcome.NOT_MEASURED: 6,
}
"""2 is wrong usage, 130 an interrupt, as with every command."""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """What a night is that had these; one without cells is not measured."""
    found = set(outcomes)
    return next((each for each in Outcome if each in found), Outcome.NOT_MEASURED)
