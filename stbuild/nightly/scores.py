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

_MOST = 730
"""Nights of history that count."""

_FEW = 100
"""Below this many nights nobody can tell normal noise from other noise."""

_CAP = 4.0
"""No single night weighs more: one outlier is not a shift."""

_NORMAL = 12.0
"""Jarque-Bera statistic below which noise counts as normal: 0.25 % of normal histories exceed it."""

_STEEP = 3.0
"""Slope, in its own standard errors, above which a history whose noise is not normal has a trend."""

_FLAT = 1e-12
"""Deviation, as a share of the mean, that is rounding."""

_SHARES = (np.arange(20_000) + 0.5) / 20_000
_QUANTILES = np.array([NormalDist().inv_cdf(share) for share in _SHARES])


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Two scores of every night of many histories (`[histories, nights]`); 0 before night `FIRST`.

    ranks: sequential normal scores (Conover, Tercero-Gomez and Cordero-Franco, 2017): whatever the noise is,
        they are those of independent normal noise as long as nothing changes.
    values: self-starting t scores (Hawkins, 1987) of what a straight line through the history predicts, where
        its noise is normal (Jarque and Bera, 1980): a steady drift is no shift, however steep. Else ranks,
        without a line unless it is certain, since outliers draw it up and down.
    """

    ranks: Floats
    values: Floats


def score(histories: Floats) -> Scores:
    """Score each night against the nights before it."""
    ranks, values = np.zeros_like(histories), np.zeros_like(histories)
    for night in range(FIRST + _GAP, histories.shape[1]):
        last = score_last(histories[:, : night + 1])
        ranks[:, night], values[:, night] = last.ranks, last.values
    return Scores(ranks=ranks, values=values)


def score_last(histories: Floats) -> Scores:
    """The scores of the last night alone (`[histories]`)."""
    night = histories.shape[1] - 1
    if night < FIRST + _GAP:
        return Scores(ranks=np.zeros(len(histories)), values=np.zeros(len(histories)))
    past = histories[:, max(0, night - _GAP - _MOST) : night - _GAP]
    return Scores(ranks=_rank(past, histories[:, night]), values=_value(past, histories[:, night]))


def normal_quantile(share: Floats) -> Floats:
    """The standard normal value below which `share` lies (0 < share < 1)."""
    found: Floats = np.interp(share, _SHARES, _QUANTILES)
    return found


def _rank(past: Floats, value: Floats) -> Floats:
    below = np.count_nonzero(past < value[:, None], axis=1)
    same = np.count_nonzero(past == value[:, None], axis=1)
    return normal_quantile((below + same / 2 + 0.5) / (past.shape[1] + 1))


def _value(past: Floats, value: Floats) -> Floats:
    nights = past.shape[1]
    mean = past.mean(1)
    residuals, ahead = past - mean[:, None], value - mean
    when = np.arange(nights) - (nights - 1) / 2
    reach, spread = nights + _GAP - (nights - 1) / 2, when @ when
    slope = residuals @ when / spread
    if nights < _FEW:
        return _trend_rank(residuals, ahead, slope, when, reach)
    residuals -= slope[:, None] * when
    ahead -= slope * reach
    squares = residuals * residuals
    total = squares.sum(1)
    deviation = np.sqrt(total / (nights - 2))
    flat = deviation <= _FLAT * np.abs(mean)
    t = ahead / np.where(flat, 1.0, deviation * np.sqrt(1 + 1 / nights + reach**2 / spread))
    scores: Floats = np.clip(_normal_of_t(t, nights - 2), -_CAP, _CAP)
    other = np.flatnonzero(flat | ~_is_normal(residuals, squares, total / nights))
    if len(other):
        line = slope[other, None] * when
        scores[other] = _trend_rank(
            residuals[other] + line, ahead[other] + slope[other] * reach, slope[other], when, reach
        )
    return scores


def _trend_rank(residuals: Floats, ahead: Floats, slope: Floats, when: Floats, reach: float) -> Floats:
    """The rank of `ahead` among `residuals`, without their trend where that is certain."""
    steep = np.abs(slope) * np.sqrt(when @ when) > _STEEP * residuals.std(1, ddof=1)
    certain = np.where(steep, slope, 0.0)
    return _rank(residuals - certain[:, None] * when, ahead - certain * reach)


def _is_normal(residuals: Floats, squares: Floats, variance: Floats) -> NDArray[np.bool_]:
    """Whether skewness and kurtosis are those of normal noise."""
    nights = residuals.shape[1]
    variance = np.where(variance == 0, 1.0, variance)
    skewness = np.einsum("ij,ij->i", squares, residuals) / nights / variance**1.5
    excess = np.einsum("ij,ij->i", squares, squares) / nights / variance**2 - 3
    normal: NDArray[np.bool_] = nights / 6 * (skewness**2 + excess**2 / 4) < _NORMAL
    return normal


def _normal_of_t(t: Floats, freedom: int) -> Floats:
    """The normal score of Student's t (Wallace, 1959; right to 0.02 for 20 degrees of freedom or more)."""
    scale = (8 * freedom + 1) / (8 * freedom + 3)
    found: Floats = np.sign(t) * scale * np.sqrt(freedom * np.log1p(t * t / freedom))
    return found
