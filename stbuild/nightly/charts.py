"""Two control charts over scored nights: one for large shifts in days, one for small shifts in weeks."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stbuild.nightly.scores import FIRST, Floats, normal_quantile, score, score_last

Indices: TypeAlias = NDArray[np.int64]

_WINDOW = 3
"""Nights that the chart of large shifts adds up."""

_LARGE = 7.1
"""Sum of the scores of three nights that is an alarm, for a long history."""

_LARGE_YOUNG = 150.0
"""Added to `_LARGE`, divided by the nights known: the baseline of a short history is itself a guess."""

_ODD, _ODD_SUM = 2.5, 5.0
"""Score of a night, and sum of those of three, at which the night is measured again."""

_SLACK = 0.3
"""What the chart of small shifts takes off each night: half of the 0.6 standard deviations that it is for."""

_SMALL = 16.5
"""Sum at which the chart of small shifts alarms."""

_STEP_T = 4.0
"""t of the step beside a straight line that an alarm of small shifts needs: a drift is no shift."""

_LONG, _LONG_T = 150, 5.5
"""A sum that has grown for so many nights is rather a drift's, so that more is asked of the step."""

_STEP_LEAD = 15.0
"""By how much a step alone must explain more than a line alone, in units of the noise's variance."""


@dataclass(frozen=True, kw_only=True)
class FirstAlarms:
    """The first alarm of each history; `found` is the number of nights where there is none.

    found: the night of the alarm.
    since: the first night that is thought to be changed.
    large: whether the chart of large shifts raised it.
    """

    found: Indices
    since: Indices
    large: NDArray[np.bool_]


def first_alarms(histories: Floats) -> FirstAlarms:
    """The first alarm of each row of `histories` (`[histories, nights]`).

    Large shifts: the moving sum of three nights (finite moving average; Lai, 1974), the best chart for a
    shift that is to be found within three nights. Small shifts: Page's CUSUM (1954), of which a step must
    remain when a straight line is fitted beside it.
    """
    scores = score(histories)
    rows, nights = histories.shape
    found, since = np.full(rows, nights), np.full(rows, nights)
    large = np.zeros(rows, np.bool_)
    for row, night, start in _large(scores.values):
        found[row], since[row], large[row] = night, start, True
    for sign in (1.0, -1.0):
        for row, night, start in _small(histories, sign * scores.ranks, sign, found):
            found[row], since[row], large[row] = night, start, False
    return FirstAlarms(found=found, since=since, large=large)


def is_odd(scores: Floats) -> NDArray[np.bool_]:
    """Whether the last night of each row is to be measured again; `scores` are of three nights (`[rows, 3]`).

    Control charts with a variable sample size (Prabhu, Runger and Keats, 1993; Costa, 1994) take a larger
    sample where the last one came near a limit. What is the measurement's noise goes; what is the night's
    stays, and so does a shift.
    """
    odd: NDArray[np.bool_] = (np.abs(scores[:, -1]) > _ODD) | (np.abs(scores.sum(1)) > _ODD_SUM)
    return odd


def is_last_odd(histories: Floats) -> NDArray[np.bool_]:
    """`is_odd` of the last night of `histories` (`[histories, nights]`)."""
    nights = histories.shape[1]
    tails = [score_last(histories[:, : nights - back]) for back in range(min(_WINDOW, nights))]
    return is_odd(np.array(tails[::-1]).T) if tails else np.zeros(len(histories), np.bool_)


def _large(scores: Floats) -> list[tuple[int, int, int]]:
    """Row, night and start of the first large shift of each row that has one."""
    nights = scores.shape[1]
    if nights < FIRST + _WINDOW:
        return []
    sums = np.lib.stride_tricks.sliding_window_view(scores, _WINDOW, axis=1).sum(2)
    limits = _LARGE + _LARGE_YOUNG / np.arange(_WINDOW, nights + 1)
    hit = np.abs(sums) > limits
    firsts = [(int(row), int(hit[row].argmax()) + _WINDOW - 1) for row in np.flatnonzero(hit.any(1))]
    return [(row, night, _start(scores[row], night)) for row, night in firsts]


def _start(scores: Floats, night: int) -> int:
    """Where in the window that ends at `night` the shift most likely began."""
    tails = np.abs(np.cumsum(scores[night - _WINDOW + 1 : night + 1][::-1])) / np.sqrt(
        np.arange(1, _WINDOW + 1)
    )
    return night - int(tails.argmax())


def _small(histories: Floats, scores: Floats, sign: float, before: Indices) -> list[tuple[int, int, int]]:
    """Row, night and start of the first upward small shift of each row that has one before `before`."""
    sums, starts = _cusum(scores)
    alarms = []
    for row in np.flatnonzero((sums > _SMALL).any(1)):
        for night in np.flatnonzero(sums[row, : before[row]] > _SMALL):
            start = int(starts[row, night])
            if _is_step(sign * histories[row, : night + 1], start):
                alarms.append((int(row), int(night), start))
                break
    return alarms


def _cusum(scores: Floats) -> tuple[Floats, Indices]:
    """Page's sum at each night, and the night after it was last zero."""
    sums, starts = np.zeros_like(scores), np.zeros(scores.shape, np.int64)
    total, start = np.zeros(len(scores)), np.zeros(len(scores), np.int64)
    for night in range(scores.shape[1]):
        total = np.maximum(total + scores[:, night] - _SLACK, 0.0)
        start = np.where(total == 0, night + 1, start)
        sums[:, night], starts[:, night] = total, start
    return sums, starts


def _is_step(values: Floats, start: int) -> bool:
    """Whether `values` rise by a step at `start` rather than along a line; judged on their normal scores."""
    nights = len(values)
    y = normal_quantile((values.argsort().argsort() + 0.5) / nights)
    line = np.arange(nights) - (nights - 1) / 2
    step = (np.arange(nights) >= start).astype(np.float64)
    step -= step.mean()
    ll, ss, ls, ly, sy = line @ line, step @ step, line @ step, line @ y, step @ y
    left = ll * ss - ls * ls
    if left <= 0:
        return False
    height, slope = (ll * sy - ls * ly) / left, (ss * ly - ls * sy) / left
    noise = max(float(y @ y - slope * ly - height * sy) / (nights - 3), 1e-12)
    lead = (sy * sy / ss - ly * ly / ll) / noise
    least_t = _LONG_T if nights - start > _LONG else _STEP_T
    return bool(height / np.sqrt(noise * ll / left) > least_t and lead > _STEP_LEAD)
