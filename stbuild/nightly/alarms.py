"""Alarms: the nights at which a series changed, and between which commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import median

import numpy as np

from stbuild.nightly.charts import FirstAlarms, first_alarms
from stbuild.nightly.values import Better, Point, Series


class Change(Enum):
    """How a change was found."""

    EXACT = "changed"
    LARGE = "shifted"
    SMALL = "shifted a little"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A series has another level from the point `since` on.

    before: the last point with the old level.
    since: the first point with the new level, as far as the noise lets one say.
    found: the point with which the change was certain.
    old, new: the value before and after; medians where there is noise.
    """

    series: Series
    change: Change
    before: Point
    since: Point
    found: Point
    old: float
    new: float

    @property
    def relative(self) -> float | None:
        """The change as a share of the old value; None where that is 0."""
        return (self.new - self.old) / abs(self.old) if self.old else None

    @property
    def worse(self) -> bool | None:
        """Whether the new level is the worse one; None where neither direction is better."""
        match self.series.better:
            case Better.HIGHER:
                return self.new < self.old
            case Better.LOWER:
                return self.new > self.old
        return None

    @property
    def same_commit(self) -> bool:
        """Whether nothing was committed in between, so that it is the machine that changed."""
        return self.before.commit == self.since.commit

    @property
    def by(self) -> str:
        """The change as a percentage; as a difference where that says 0, or there is none."""
        percent = f"{self.relative:+.1%}" if self.relative is not None else ""
        return percent if percent.strip("+-0.%") else f"{self.new - self.old:+.4g}"

    def shown(self, value: float) -> str:
        """A value for a person: of an exact figure all digits, since one of them may be what changed."""
        return (
            f"{value:,.12g}"
            if self.series.exact
            else f"{value:,.6g}"
            if abs(value) < 1e6
            else f"{value:,.0f}"
        )

    def __str__(self) -> str:
        unit = f" {self.series.unit}" if self.series.unit else ""
        values = f"{self.shown(self.old)} to {self.shown(self.new)}{unit} ({self.by})"
        if not (self.before.commit or self.since.commit):
            return f"{self.series.figure} {self.change.value} from {values}, in no git repository"
        where = (
            f"with the same commit {self.since.commit[:12]}: the machine changed"
            if self.same_commit
            else f"between commits {self.before.commit[:12]} and {self.since.commit[:12]}"
        )
        return f"{self.series.figure} {self.change.value} from {values}, {where}"


def alarms(series: Series, points: Sequence[Point]) -> tuple[Alarm, ...]:
    """All alarms of a series, the oldest first; each begins a new history.

    What is exact is reported at any change, what is measured as `stbuild.nightly.charts` says.
    """
    return alarms_of_all([(series, points)])[0]


def is_charted(series: Series) -> bool:
    """Whether the charts look at a series: one that is measured, and not a count of what was done."""
    return not series.exact and series.better is not Better.NEITHER


def alarms_of_all(histories: Sequence[tuple[Series, Sequence[Point]]]) -> list[tuple[Alarm, ...]]:
    """The alarms of each series; those of one length are looked at together, which is faster."""
    found: list[list[Alarm]] = [_exact(*each) if each[0].exact else [] for each in histories]
    pending = {number: 0 for number, (series, _) in enumerate(histories) if is_charted(series)}
    while pending:
        by_length: dict[int, list[int]] = {}
        for number, begin in pending.items():
            by_length.setdefault(len(histories[number][1]) - begin, []).append(number)
        began, pending = pending, {}
        for length, numbers in by_length.items():
            tails = [histories[number][1][began[number] :] for number in numbers]
            first = first_alarms(np.array([[point.value for point in tail] for tail in tails], np.float64))
            for row, number in enumerate(numbers):
                if first.found[row] < length:
                    series = histories[number][0]
                    found[number].append(_measured(series, tails[row], first, row))
                    pending[number] = began[number] + int(first.since[row])
    return [tuple(each) for each in found]


def _exact(series: Series, points: Sequence[Point]) -> list[Alarm]:
    return [
        Alarm(
            series=series,
            change=Change.EXACT,
            before=before,
            since=point,
            found=point,
            old=before.value,
            new=point.value,
        )
        for before, point in pairwise(points)
        if before.value != point.value
    ]


def _measured(series: Series, points: Sequence[Point], first: FirstAlarms, row: int) -> Alarm:
    since, night = int(first.since[row]), int(first.found[row])
    return Alarm(
        series=series,
        change=Change.LARGE if first.large[row] else Change.SMALL,
        before=points[since - 1],
        since=points[since],
        found=points[night],
        old=median(point.value for point in points[:since]),
        new=median(point.value for point in points[since : night + 1]),
    )
