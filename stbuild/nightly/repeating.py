"""Whether a cell is measured again in the same night, and what several measurements come to."""

from collections.abc import Sequence
from statistics import median

import numpy as np

from stbuild.nightly.alarms import alarms_of_all, is_charted
from stbuild.nightly.charts import is_last_odd
from stbuild.nightly.history import Reader
from stbuild.nightly.values import Better, Cell, Figure

TOTAL = "measured_s"
"""The figure that adds up."""


def odd_figures(history: Reader, cell: Cell, host: str, figures: Sequence[Figure]) -> tuple[str, ...]:
    """The measured figures that look as if they had shifted, tonight included: `charts.is_odd` of each."""
    tonight = {figure.name: figure.value for figure in figures}
    histories = [
        (series, history.points(series))
        for series in history.series()
        if (series.cell, series.host) == (cell, host) and series.figure in tonight and is_charted(series)
    ]
    odd = []
    for (series, points), found in zip(histories, alarms_of_all(histories), strict=True):
        level = [each.value for each in points if not found or each.night >= found[-1].since.night]
        if is_last_odd(np.array([[*level, tonight[series.figure]]], np.float64))[0]:
            odd.append(series.figure)
    return tuple(odd)


def combined(measurements: Sequence[Sequence[Figure]]) -> tuple[Figure, ...]:
    """The median of each figure over all measurements, and how many they were."""
    values: dict[str, list[float]] = {}
    for figure in (each for figures in measurements for each in figures):
        values.setdefault(figure.name, []).append(figure.value)
    figures = [
        Figure(
            name=each.name,
            value=sum(values[each.name]) if each.name == TOTAL else median(values[each.name]),
            unit=each.unit,
            better=each.better,
            exact=each.exact,
        )
        for each in measurements[0]
    ]
    count = Figure(name="measurements", value=len(measurements), unit="times", better=Better.NEITHER)
    return (*figures, count)
