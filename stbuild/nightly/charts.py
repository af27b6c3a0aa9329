"""Two control charts over scored nights: one for large shifts in days, one for small shifts in weeks."""

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from stbuild.nightly.scores import FIRST, Floats, Scores, normal_quantile, score, score_last

Indices: TypeAlias = NDArray[np.int64]

_WINDOW = 3
"""Nights that the chart of large shifts adds up."""

_LARGE_YOUNG = 150.0
"""Added to the limit of large shifts, divided by the nights known: a short history is itself a guess."""

_ODD, _ODD_SUM = 2.5, 5.0
"""Score of a night, and sum of those of three, at which the night is measured again."""

_SLACK = 0.3
"""What the chart of small shifts takes off each night: half of the 0.6 standard deviations that it is for."""

_LONG = 150
"""A sum that has grown for so many nights is rather a drift's, so that more is asked of the step."""

_LEAD = 30
"""So many nights before the start of a small shift, which is a guess, the level is surely the old one."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a chart must pass.

    large: the sum of the scores of three nights, for a long history.
    small: the sum of the chart of small shifts.
    step_t, long_t: t of the step beside a straight line that a small shift needs, a drift being none; the
        second where the sum has grown for more than `_LONG` nights.
    step_lead: by how much a step alone must explain more than a line alone, in variances of the noise.
    """

    large: float
    small: float
    step_t: float
    long_t: float
    step_lead: float


ALARM = Limits(large=7.6, small=18.0, step_t=4.5, long_t=6.0, step_lead=18.0)
"""An alarm, whatever else is known."""

SUSPICION = Limits(large=6.5, small=9.0, step_t=2.7, long_t=3.7, step_lead=5.0)
"""The old and the new commit are compared in the same night; what they show decides."""


@dataclass(frozen=True, kw_only=True)
class FirstAlarms:
    """The first alarm of each history; `found` is the number of nights where there is none.

    found: the night of the alarm.
    since: the first night that is thought to be changed.
    before: a night that surely is not.
    large: whether the chart of large shifts raised it.
    upward: whether the values rose.
    """

    found: Indices
    since: Indices
    before: Indices
    large: NDArray[np.bool_]
    upward: NDArray[np.bool_]


def first_alarms(
    histories: Floats,
    limits: Limits = ALARM,
    *,
    after: Indices | None = None,
    begin: int = 0,
    scores: Scores | None = None,
) -> FirstAlarms:
    """The first alarm of each row of `histories` (`[histories, nights]`) from the night `begin` on.

    Large shifts: the moving sum of three nights (finite moving average; Lai, 1974), the best chart for a
    shift that is to be found within three nights. Small shifts: Page's CUSUM (1954), of which a step must
    remain when a straight line is fitted beside it. The charts of a row add up from its night `after` on.
    """
    rows, nights = histories.shape
    known = scores or score(histories)
    counts = np.arange(nights) >= (np.zeros(rows, np.int64) if after is None else after)[:, None]
    values, ranks = np.where(counts, known.values, 0.0), np.where(counts, known.ranks, 0.0)
    found, since, before = np.full(rows, nights), np.full(rows, nights), np.full(rows, nights)
    large, upward = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    for row, night, start in _large(values, limits, begin):
        found[row], since[row], before[row] = night, start, night - _WINDOW
        large[row], upward[row] = True, values[row, start : night + 1].sum() > 0
    for sign in (1.0, -1.0):
        for row, night, start in _small(histories, sign * ranks, sign, limits, begin, found):
            found[row], since[row], before[row] = night, start, max(start - 1 - _LEAD, 0)
            large[row], upward[row] = False, sign > 0
    return FirstAlarms(found=found, since=since, before=before, large=large, upward=upward)


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
    tails = [score_last(histories[:, : nights - back]).values for back in range(min(_WINDOW, nights))]
    return is_odd(np.array(tails[::-1]).T) if tails else np.zeros(len(histories), np.bool_)


def _large(scores: Floats, limits: Limits, begin: int) -> list[tuple[int, int, int]]:
    """Row, night and start of the first large shift of each row that has one."""
    nights = scores.shape[1]
    if nights < FIRST + _WINDOW:
        return []
    sums = np.lib.stride_tricks.sliding_window_view(scores, _WINDOW, axis=1).sum(2)
    hit = np.abs(sums) > limits.large + _LARGE_YOUNG / np.arange(_WINDOW, nights + 1)
    hit[:, : max(begin - _WINDOW + 1, 0)] = False
    firsts = [(int(row), int(hit[row].argmax()) + _WINDOW - 1) for row in np.flatnonzero(hit.any(1))]
    return [(row, night, _start(scores[row], night)) for row, night in firsts]


def _start(scores: Floats, night: int) -> int:
    """Where in the window that ends at `night` the shift most likely began."""
    tails = np.abs(np.cumsum(scores[night - _WINDOW + 1 : night + 1][::-1])) / np.sqrt(
        np.arange(1, _WINDOW + 1)
    )
    return night - int(tails.argmax())


def _small(
    histories: Floats, scores: Floats, sign: float, limits: Limits, begin: int, end: Indices
) -> list[tuple[int, int, int]]:
    """Row, night and start of the first upward small shift of each row that has one before `end`."""
    sums, starts = _cusum(scores)
    hit = sums > limits.small
    hit[:, :begin] = False
    alarms = []
    for row in np.flatnonzero(hit.any(1)):
        for night in np.flatnonzero(hit[row, : end[row]]):
            start = int(starts[row, night])
            if _is_step(sign * histories[row, : night + 1], start, limits):
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


def _is_step(values: Floats, start: int, limits: Limits) -> bool:
    """Whether `values` rise by a step at `start` rather than along a line; judged on their normal scores."""
    nights = len(values)
    later = nights - start
    y = np.empty(nights)
    y[values.argsort()] = _normal_scores(nights)
    ll, ss, ls = nights * (nights**2 - 1) / 12, later * start / nights, later * start / 2
    ly, sy, yy = np.arange(nights) @ y, y[start:].sum(), y @ y  # y adds up to 0
    left = ll * ss - ls * ls
    if left <= 0:
        return False
    height, slope = (ll * sy - ls * ly) / left, (ss * ly - ls * sy) / left
    noise = max(float(yy - slope * ly - height * sy) / (nights - 3), 1e-12)
    lead = (sy * sy / ss - ly * ly / ll) / noise
    least_t = limits.long_t if later > _LONG else limits.step_t
    return bool(height / np.sqrt(noise * ll / left) > least_t and lead > limits.step_lead)


@cache
def _normal_scores(nights: int) -> Floats:
    """The normal scores of so many ranks."""
    return normal_quantile((np.arange(nights) + 0.5) / nights)
