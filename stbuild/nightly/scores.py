"""What a night's value is worth against the nights before it, as standard normal scores."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

FIRST = 20
"""Nights that a history needs before the next one is scored."""

_GAP = 2
"""Nights left out between the history and the night scored: a shift must not hide in its own baseline."""

_MOST_RANKS, _MOST_VALUES = 730, 400
"""Nights of history that count; fewer for values, so that a slow drift matters less."""

_FEW = 100
"""Below this many nights nobody can tell normal noise from other noise."""

_CAP = 4.0
"""No single night weighs more: one outlier is not a shift."""

_NORMAL = 12.0
"""Jarque-Bera statistic below which noise counts as normal: 0.25 % of normal histories exceed it."""

_STEEP = 3.0
"""Slope, in its own standard errors, above which a history has a trend."""

_RECENT, _LEEWAY = 60, 0.1
"""A value counts as no further from the history than from its last nights, plus this many deviations."""

_SHARES = (np.arange(20_000) + 0.5) / 20_000
_QUANTILES = np.array([NormalDist().inv_cdf(share) for share in _SHARES])


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Two scores of every night of many histories (`[histories, nights]`); 0 before night `FIRST`.

    ranks: sequential normal scores (Conover, Tercero-Gomez and Cordero-Franco, 2017): whatever the noise is,
        they are those of independent normal noise as long as nothing changes.
    values: self-starting t scores (Hawkins, 1987), without the history's trend, where the history's noise is
        normal (Jarque and Bera, 1980); else the ranks of the same residuals.
    """

    ranks: Floats
    values: Floats


def score(histories: Floats) -> Scores:
    """Score each night against the nights before it."""
    ranks, values = np.zeros_like(histories), np.zeros_like(histories)
    for night in range(FIRST + _GAP, histories.shape[1]):
        past = histories[:, max(0, night - _GAP - _MOST_RANKS) : night - _GAP]
        ranks[:, night] = _rank(past, histories[:, night])
        values[:, night] = _value(past[:, -_MOST_VALUES:], histories[:, night])
    return Scores(ranks=ranks, values=values)


def normal_quantile(share: Floats) -> Floats:
    """The standard normal value below which `share` lies (0 < share < 1)."""
    found: Floats = np.interp(share, _SHARES, _QUANTILES)
    return found


def _rank(past: Floats, value: Floats) -> Floats:
    below = (past < value[:, None]).sum(1)
    same = (past == value[:, None]).sum(1)
    return normal_quantile((below + same / 2 + 0.5) / (past.shape[1] + 1))


def _value(past: Floats, value: Floats) -> Floats:
    nights = past.shape[1]
    residuals, ahead, leverage = _without_trend(past, value)
    ranks = _rank(residuals, ahead)
    if nights < _FEW:
        return ranks
    deviation = residuals.std(1, ddof=1)
    flat = deviation == 0
    t = _nearer(residuals, ahead, _LEEWAY * deviation) / np.where(
        flat, 1.0, deviation * np.sqrt(1 + leverage)
    )
    return np.where(_is_normal(residuals) & ~flat, np.clip(_normal_of_t(t, nights - 1), -_CAP, _CAP), ranks)


def _nearer(residuals: Floats, ahead: Floats, leeway: Floats) -> Floats:
    """`ahead`, but no further from 0 than from the last residuals and `leeway`: a slow drift is no shift."""
    sign = np.sign(ahead)
    recent = sign * (ahead - residuals[:, -_RECENT:].mean(1)) + leeway
    found: Floats = sign * np.minimum(np.abs(ahead), np.maximum(0.0, recent))
    return found


def _without_trend(past: Floats, value: Floats) -> tuple[Floats, Floats, Floats]:
    """Residuals of the past and of the value, and the variance of what was predicted for the value."""
    nights = past.shape[1]
    mean = past.mean(1)
    residuals = past - mean[:, None]
    when = np.arange(nights) - (nights - 1) / 2
    spread = when @ when
    slope = residuals @ when / spread
    deviation = residuals.std(1, ddof=1)
    slope = np.where(np.abs(slope) * np.sqrt(spread) > _STEEP * deviation, slope, 0.0)
    reach = nights + _GAP - (nights - 1) / 2
    leverage = 1 / nights + np.where(slope != 0, reach**2 / spread, 0.0)
    return residuals - slope[:, None] * when, value - mean - slope * reach, leverage


def _is_normal(residuals: Floats) -> NDArray[np.bool_]:
    """Whether skewness and kurtosis are those of normal noise."""
    squares = residuals * residuals
    variance = squares.mean(1)
    variance = np.where(variance == 0, 1.0, variance)
    skewness = (squares * residuals).mean(1) / variance**1.5
    excess = (squares * squares).mean(1) / variance**2 - 3
    normal: NDArray[np.bool_] = residuals.shape[1] / 6 * (skewness**2 + excess**2 / 4) < _NORMAL
    return normal


def _normal_of_t(t: Floats, freedom: int) -> Floats:
    """The normal score of Student's t (Wallace, 1959; right to 0.02 for 20 degrees of freedom or more)."""
    scale = (8 * freedom + 1) / (8 * freedom + 3)
    found: Floats = np.sign(t) * scale * np.sqrt(freedom * np.log1p(t * t / freedom))
    return found
