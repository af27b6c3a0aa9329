"""The alarms of a night: what changed with it, and what that makes of a cell's outcome."""

from collections.abc import Sequence
from dataclasses import replace

from stbuild.nightly.alarms import Alarm, alarms_of_all
from stbuild.nightly.figures import PROMPT_KINDS
from stbuild.nightly.history import Reader
from stbuild.nightly.outcome import Fault, Outcome
from stbuild.nightly.values import Night, Past, Point, Result

ACCURACY = ("kl", "top1", "perplexity_change")
"""Kinds of figures that are worse where the result is wrong."""
BUILD = ("build_s",)
"""Kinds of figures that say nothing about the device: their alarms are told, and fail no night."""


def alarms_of_night(history: Reader, night: Night, result: Result) -> tuple[Alarm, ...]:
    """The alarms of a cell that its values of this night raise, whether the history has these or not."""
    values = {figure.name: figure.value for figure in result.figures}
    compared = {each.figure: each for each in result.comparisons}
    histories = []
    for series in history.series():
        name = series.figure
        if (series.cell, series.host) != (result.cell, night.host) or name not in values:
            continue
        now = Point(night=night.id, time_s=night.began_s, commit=night.commit, value=values[name])
        past = history.past(series)
        points = [point for point in past.points if point.night < night.id]
        before = [each for each in past.comparisons if each.night < night.id]
        tonight = [compared[name]] if name in compared else []
        histories.append(Past(series=series, points=(*points, now), comparisons=(*before, *tonight)))
    found = alarms_of_all(histories)
    return tuple(alarm for each in found for alarm in each if alarm.found.night == night.id)


def judged(result: Result, alarms: Sequence[Alarm]) -> Result:
    """The result, which is no good one where something changed for the worse.

    Where only speeds did, and by the machine, the device is slow.
    """
    worse = [alarm for alarm in alarms if alarm.worse and _kind(alarm) not in BUILD]
    if result.outcome is not Outcome.GOOD or not worse:
        return result
    wrong = any(_kind(alarm) in ACCURACY for alarm in worse)
    outcome = Outcome.WRONG_RESULT if wrong else Outcome.SLOWDOWN
    is_device = all(alarm.is_machine and _kind(alarm) in PROMPT_KINDS for alarm in worse)
    told = "; ".join(filter(None, [result.message, *map(str, worse)]))
    fault = Fault.SLOW if is_device else None
    return replace(result, outcome=outcome, fault=fault, message=told)


def _kind(alarm: Alarm) -> str:
    return alarm.series.figure.partition("@")[0]
