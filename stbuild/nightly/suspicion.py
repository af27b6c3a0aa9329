"""The figures of a night that may have shifted, and the night whose commit is to be measured again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stbuild.nightly.alarms import Alarm, alarms_of_all, is_charted
from stbuild.nightly.charts import ALARM, SUSPICION, FirstAlarms, first_alarms, is_last_odd
from stbuild.nightly.figures import PROMPT_KINDS
from stbuild.nightly.history import Reader
from stbuild.nightly.values import Cell, Figure, Night, Past, Point


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A figure that may have shifted; `level` are the nights before this one that had one level.

    before: the last night of them that surely had it.
    since: the first night that is thought to be changed.
    upward, large: whether the values rose, and whether the shift is a large one.
    """

    figure: str
    level: Sequence[Point]
    before: Point
    since: int
    upward: bool
    large: bool


def odd_figures(history: Reader, cell: Cell, host: str, figures: Sequence[Figure]) -> tuple[str, ...]:
    """The measured figures that look as if they had shifted tonight: `charts.is_last_odd` of each."""
    tonight = {figure.name: figure.value for figure in figures}
    odd = []
    for past, _, level in levels(history, cell, host, lambda figure: figure in tonight):
        values = [*(point.value for point in level), tonight[past.series.figure]]
        if is_last_odd(np.array([values], np.float64))[0]:
            odd.append(past.series.figure)
    return tuple(odd)


def suspects(history: Reader, cell: Cell, night: Night, figures: Sequence[Figure]) -> tuple[Suspect, ...]:
    """The speeds of the device that a chart suspects tonight: what a comparison of commits can tell about."""
    tonight = {figure.name: figure.value for figure in figures if figure.kind in PROMPT_KINDS}
    found = []
    for past, _, level in levels(history, cell, night.host, lambda figure: figure in tonight):
        values = np.array([[*(point.value for point in level), tonight[past.series.figure]]], np.float64)
        refuted = [each.night for each in past.comparisons if not each.is_commit]
        after = sum(point.night <= max(refuted, default=0) for point in level)
        first = _tonight(values, after)
        if first is None or not level:
            continue
        since = int(first.since[0])
        found.append(
            Suspect(
                figure=past.series.figure,
                level=level,
                before=level[int(first.before[0])],
                since=level[since].night if since < len(level) else night.id,
                upward=bool(first.upward[0]),
                large=bool(first.large[0]),
            )
        )
    return tuple(found)


def levels(
    history: Reader, cell: Cell, host: str, wanted: Callable[[str], bool]
) -> list[tuple[Past, tuple[Alarm, ...], list[Point]]]:
    """The measured series of a cell, with their alarms, and the nights since the last of these."""
    pasts = [
        history.past(series)
        for series in history.series()
        if (series.cell, series.host) == (cell, host) and wanted(series.figure) and is_charted(series)
    ]
    return [
        (past, found, [each for each in past.points if not found or each.night >= found[-1].since.night])
        for past, found in zip(pasts, alarms_of_all(pasts), strict=True)
    ]


def _tonight(values: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", after: int) -> FirstAlarms | None:
    """What a chart says to the last night; one that suspects adds up from the night `after` on."""
    last = values.shape[1] - 1
    for limits, start in ((SUSPICION, after), (ALARM, 0)):
        first = first_alarms(values, limits, after=np.array([start]), begin=last)
        if first.found[0] == last:
            return first
    return None
