"""The trend of one series as SVG, whose colours are variables of the page's style sheet."""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from stbuild.nightly.alarms import Alarm
from stbuild.nightly.values import Point

_VARIABLES = {
    "ink": "#010203",
    "grid": "#010204",
    "values": "#010205",
    "level": "#010206",
    "worse": "#010207",
    "better": "#010208",
    "other": "#010209",
}
"""Variables of the style sheet, and the colours that stand for them while matplotlib draws."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "stbuild",
    "font.size": 8,
    "text.color": _VARIABLES["ink"],
    "axes.labelcolor": _VARIABLES["ink"],
    "axes.edgecolor": _VARIABLES["grid"],
    "xtick.color": _VARIABLES["grid"],
    "ytick.color": _VARIABLES["grid"],
    "xtick.labelcolor": _VARIABLES["ink"],
    "ytick.labelcolor": _VARIABLES["ink"],
    "grid.color": _VARIABLES["grid"],
    "axes.formatter.useoffset": False,
    "axes.xmargin": 0.01,
}
_SIZE_IN = (4.6, 1.7)
_THOUSANDS = 10_000.0
"""From here on the axis says 12k for 12,000."""


def draw(points: Sequence[Point], alarms: Sequence[Alarm], *, unit: str, label: str, key: str) -> str:
    """The trend of `points` as an `<svg>` element; `key` sets its ids apart, `label` is read aloud."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_IN, layout="constrained")
        axes = figure.add_subplot()
        _draw_values(axes, points, alarms)
        _draw_axes(axes, unit)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _embedded(text.getvalue(), label, key)


def colour_of(alarm: Alarm) -> str:
    """The variable of the style sheet that shows what an alarm means."""
    return {True: "worse", False: "better", None: "other"}[alarm.worse]


def _draw_values(axes: Axes, points: Sequence[Point], alarms: Sequence[Alarm]) -> None:
    """The values, the level between the alarms, and a line at each alarm."""
    when = _days(points)
    values = np.array([point.value for point in points])
    axes.plot(when, values, linewidth=0.7, color=_VARIABLES["values"], marker="." if len(points) < 3 else "")
    nights = [point.night for point in points]
    starts = [nights.index(alarm.since.night) for alarm in alarms]
    bounds = [0, *starts, len(points)]
    for begin, end in pairwise(bounds):
        level = float(np.median(values[begin:end]))
        axes.plot(when[[begin, end - 1]], [level, level], linewidth=1.6, color=_VARIABLES["level"])
    for start, alarm in zip(starts, alarms, strict=True):
        axes.axvline(when[start], linewidth=1.2, linestyle=(0, (3, 2)), color=_VARIABLES[colour_of(alarm)])


def _draw_axes(axes: Axes, unit: str) -> None:
    dates = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(dates)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(dates, show_offset=False))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if max(map(abs, axes.get_ylim())) >= _THOUSANDS:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_ylabel(unit)
    axes.grid(axis="y", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _days(points: Sequence[Point]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    days: np.ndarray[tuple[int], np.dtype[np.float64]] = np.array(
        [date2num(datetime.fromtimestamp(point.time_s, UTC)) for point in points]
    )
    return days


def _embedded(svg: str, label: str, key: str) -> str:
    """The element alone, with its own ids, as wide as its place, and in the page's colours."""
    element = svg[svg.index("<svg") :]
    for name, colour in _VARIABLES.items():
        element = element.replace(colour, f"var(--{name})")
    element = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*</defs>", "", element, flags=re.DOTALL)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{key}-", element)
    element = re.sub(r"(style=\"[^\"]*)font:\s*([0-9.]+)px [^;\"]*", r"\1font-size: \2px", element)
    head = re.sub(r' (?:width|height|xmlns:?\w*|version)="[^"]*"', "", element[: element.index(">")])
    return f'{head} role="img" aria-label="{label}"{element[element.index(">") :]}'
