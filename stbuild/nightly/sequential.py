"""Which of two levels noisy values are of, with as few of them as the noise allows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

_APART = 4.0
"""Standard errors between two means that are taken to be two levels."""

_MOST_OF_ONE = 0.75
"""Share of the evidence asked for that a single value may bring: one outlier decides nothing."""


@dataclass(frozen=True, kw_only=True)
class Levels:
    """The values of a good and of a bad commit are normal around these, with this standard deviation."""

    good: float
    bad: float
    deviation: float


def levels(good: Sequence[float], bad: Sequence[float]) -> Levels | None:
    """The levels of two samples of two or more values; None where they are not apart."""
    squares = variance(good) * (len(good) - 1) + variance(bad) * (len(bad) - 1)
    deviation = math.sqrt(squares / (len(good) + len(bad) - 2))
    found = Levels(good=fmean(good), bad=fmean(bad), deviation=deviation)
    error = deviation * math.sqrt(1 / len(good) + 1 / len(bad))
    return found if abs(found.good - found.bad) > _APART * error else None


def is_bad(at: Levels, values: Sequence[float], error: float) -> bool | None:
    """Whether `values` are of the bad level, wrong in a share `error` of cases; None: more values are needed.

    Wald's sequential probability ratio test (1945).
    """
    limit = math.log((1 - error) / error)
    evidence = sum(_evidence(at, value, limit * _MOST_OF_ONE) for value in values)
    return evidence > 0 if abs(evidence) >= limit else None


def _evidence(at: Levels, value: float, most: float) -> float:
    """The logarithm of how much likelier a value is at the bad level."""
    middle = (value - (at.good + at.bad) / 2) * (1 if at.bad > at.good else -1)
    if at.deviation == 0:
        return math.copysign(math.inf, middle)
    return max(-most, min(most, middle * abs(at.bad - at.good) / at.deviation**2))
