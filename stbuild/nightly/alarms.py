"""Alarms: the nights at which a series changed, and between which commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import median

import numpy as np

from stbuild.nightly.charts import FirstAlarms, first_alarms
from stbuild.nightly.values import Better, Comparison, Past, Point, Series


class Change(Enum):
    """How a change was found."""

    EXACT = "changed"
    LARGE = "shifted"
    SMALL = "shifted a little"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """A series has another level from the point `since` on.

    before: the last point with the old level; where commits were compared, that of the old one.
    since: the first point with the new level, as far as the noise lets one say.
    found: the point with which the change was certain.
    old, new: the value before and after; medians where there is noise.
    comparison: what the old and the new commit, measured in turns in one night, say to it, if they were.
    """

    series: Series
    change: Change
    before: Point
    since: Point
    found: Point
    old: float
    new: float
    comparison: Comparison | None = None

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
    def is_commit(self) -> bool:
        """Whether the old and the new commit were measured in one night and differ."""
        return self.comparison is not None and self.comparison.is_commit

    @property
    def is_machine(self) -> bool:
        """Whether it is the machine that changed: both commits now measure the same, or there is but one."""
        is_known = self.comparison is not None and not self.comparison.is_commit
        return is_known or (bool(self.before.commit) and self.before.commit == self.since.commit)

    @property
    def commits(self) -> tuple[str, str]:
        """The last commit with the old level, and the first that is known to have the new one."""
        return self.before.commit, (self.found if self.is_commit else self.since).commit

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
        return f"{self.series.figure} {self.change.value} from {values}, {self.where}"

    @property
    def where(self) -> str:
        """Between which commits, or that it is the machine."""
        old, new = (commit[:12] for commit in self.commits)
        if not (old or new):
            return "in no git repository"
        if old == new:
            return f"with the same commit {new}: the machine changed"
        if self.comparison is None:
            return f"between commits {old} and {new}"
        turns = f"measured in turns in one night, {self.comparison.times} times each"
        if self.is_machine:
            return f"and commit {old} measures the same as {new} now: the machine changed ({turns})"
        return f"between commits {old} and {new} ({turns})"


def alarms(past: Past) -> tuple[Alarm, ...]:
    """All alarms of a series, the oldest first; each begins a new history.

    What is exact is reported at any change; what is measured where a comparison of two commits shows a
    change, or where `stbuild.nightly.charts` alone does.
    """
    return alarms_of_all([past])[0]


def is_charted(series: Series) -> bool:
    """Whether the charts look at a series: one that is measured, and not a count of what was done."""
    return not series.exact and series.better is not Better.NEITHER


def alarms_of_all(histories: Sequence[Past]) -> list[tuple[Alarm, ...]]:
    """The alarms of each series; those of one length are looked at together, which is faster."""
    found: list[list[Alarm]] = [_exact(each) if each.series.exact else [] for each in histories]
    pending = {number: 0 for number, each in enumerate(histories) if is_charted(each.series)}
    while pending:
        by_length: dict[int, list[int]] = {}
        for number, begin in pending.items():
            by_length.setdefault(len(histories[number].points) - begin, []).append(number)
        began, pending = pending, {}
        for numbers in by_length.values():
            tails = [histories[number].points[began[number] :] for number in numbers]
            first = first_alarms(np.array([[point.value for point in tail] for tail in tails], np.float64))
            for row, number in enumerate(numbers):
                alarm = _next(histories[number], tails[row], found[number], first, row)
                if alarm is not None:
                    found[number].append(alarm)
                    pending[number] = began[number] + tails[row].index(alarm.since)
    return [tuple(each) for each in found]


def _exact(past: Past) -> list[Alarm]:
    return [
        Alarm(
            series=past.series,
            change=Change.EXACT,
            before=before,
            since=point,
            found=point,
            old=before.value,
            new=point.value,
        )
        for before, point in pairwise(past.points)
        if before.value != point.value
    ]


def _next(
    past: Past, tail: Sequence[Point], known: Sequence[Alarm], first: FirstAlarms, row: int
) -> Alarm | None:
    """The next alarm in the nights `tail`: the charts' first one, or that of an earlier comparison."""
    night = int(first.found[row])
    end = tail[night].night if night < len(tail) else None
    places = {point.night: place for place, point in enumerate(tail)}
    for each in past.comparisons:
        is_new = not known or each.night > known[-1].found.night
        in_time = end is None or each.night <= end
        if each.is_commit and is_new and in_time and {each.before, each.since, each.night} <= places.keys():
            return _compared(past.series, tail, places, each)
    return None if end is None else _charted(past, tail, first, row)


def _compared(
    series: Series, tail: Sequence[Point], places: Mapping[int, int], comparison: Comparison
) -> Alarm:
    return Alarm(
        series=series,
        change=Change.LARGE if comparison.large else Change.SMALL,
        before=tail[places[comparison.before]],
        since=tail[places[comparison.since]],
        found=tail[places[comparison.night]],
        old=comparison.old,
        new=comparison.new,
        comparison=comparison,
    )


def _charted(past: Past, tail: Sequence[Point], first: FirstAlarms, row: int) -> Alarm:
    since, night = int(first.since[row]), int(first.found[row])
    during = [each for each in past.comparisons if tail[since].night <= each.night <= tail[night].night]
    return Alarm(
        series=past.series,
        change=Change.LARGE if first.large[row] else Change.SMALL,
        before=tail[since - 1],
        since=tail[since],
        found=tail[night],
        old=median(point.value for point in tail[:since]),
        new=median(point.value for point in tail[since : night + 1]),
        comparison=during[-1] if during else None,
    )
