"""The alarms of a night: what changed with it, and what that makes of a cell's outcome."""

from collections.abc import Sequence
from dataclasses import replace

from stbuild.nightly.alarms import Alarm, alarms_of_all
from stbuild.nightly.history import Reader
from stbuild.nightly.outcome import Outcome
from stbuild.nightly.values import Night, Point, Result

ACCURACY = ("kl", "top1", "perplexity_change")
"""Kinds of figures that are worse where the result is wrong."""
BUILD = ("build_s",)
"""Kinds of figures that say nothing about the device: their alarms are told, and fail no night."""


def alarms_of_night(history: Reader, night: Night, result: Result) -> tuple[Alarm, ...]:
    """The alarms of a cell that its values of this night raise, whether the history has these or not."""
    values = {figure.name: figure.value for figure in result.figures}
    histories = []
    for series in history.series():
        if (series.cell, series.host) != (result.cell, night.host) or series.figure not in values:
            continue
        now = Point(night=night.id, time_s=night.began_s, commit=night.commit, value=values[series.figure])
        before = [point for point in history.points(series) if point.night < night.id]
        histories.append((series, (*before, now)))
    found = alarms_of_all(histories)
    return tuple(alarm for each in found for alarm in each if alarm.found.night == night.id)


def judged(result: Result, alarms: Sequence[Alarm]) -> Result:
    """The result, which is no good one where something changed for the worse."""
    worse = [alarm for alarm in alarms if alarm.worse and _kind(alarm) not in BUILD]
    if result.outcome is not Outcome.GOOD or not worse:
        return result
    wrong = any(_kind(alarm) in ACCURACY for alarm in worse)
    outcome = Outcome.WRONG_RESULT if wrong else Outcome.SLOWDOWN
    told = "; ".join(filter(None, [result.message, *map(str, worse)]))
    return replace(result, outcome=outcome, message=told)


def _kind(alarm: Alarm) -> str:
    return alarm.series.figure.partition("@")[0]
