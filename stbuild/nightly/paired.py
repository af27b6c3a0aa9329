"""Whether the new of two commits that are measured in turns is of another level, whatever the noise is."""

import math
from collections.abc import Sequence

LOOKS = (6, 12, 24, 40, 60)
"""Measurements of each after which it is decided, or measured on."""

_SURE = (2.85, 3.1, 3.1, 3.0, 2.9)
"""Standard score of the rank sum from which on the levels differ; 2.88 is six old values below six new."""

_HOPELESS = (-0.4, 0.2, 0.8, 1.3, 1.3)
"""Standard score below which a look ends the search: rather chance than the shift."""


def is_shifted(old: Sequence[float], new: Sequence[float], *, upward: bool, most: int) -> bool | None:
    """Whether `new` is above `old`, or below it; None where more measurements must tell.

    After `most` of each, what is not shown is not so.

    The test of Wilcoxon (1945) and of Mann and Whitney (1947), which holds under any noise, with several
    looks: of two equal commits 1 in 200 differ (simulated; `tests/nightly/test_paired.py`).
    """
    count = len(old)
    if count not in LOOKS and count < most:
        return None
    look = max((at for at, each in enumerate(LOOKS) if each <= count), default=0)
    score = rank_score(old, new) * (1 if upward else -1)
    if score >= _SURE[look]:
        return True
    return False if count >= most or score < _HOPELESS[look] else None


def rank_score(old: Sequence[float], new: Sequence[float]) -> float:
    """How far `new` ranks above `old`, in standard deviations of two equal samples of one size."""
    count = len(old)
    above = sum((after > before) + (after == before) / 2 for before in old for after in new)
    return (above - count * count / 2) / math.sqrt(count * count * (2 * count + 1) / 12)
