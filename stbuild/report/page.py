"""Writes the page of a history."""

import os
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stbuild.nightly.history import FILE as HISTORY
from stbuild.nightly.history import Reader
from stbuild.nightly.outcome import Outcome
from stbuild.nightly.values import Better
from stbuild.report.chart import colour_of, draw
from stbuild.report.content import Content, Trend, read_content

FILE = "report.html"
_BETTER = {Better.HIGHER: "higher is better", Better.LOWER: "lower is better", Better.NEITHER: ""}
_WHOLE = 10_000.0
"""From here on decimals are left out."""
_SYMBOLS = {
    Outcome.GOOD: "✓",
    Outcome.WRONG_RESULT: "✗",
    Outcome.BUILD_FAILED: "B",
    Outcome.BROKEN_DEVICE: "D",
    Outcome.SLOWDOWN: "S",
    Outcome.NOT_MEASURED: "–",
}
"""Colour alone tells nothing to some."""


def write_page(results: Path, root: Path, file: Path | None = None) -> Path:
    """Write the page of the history in the folder `results`; commits are those of the repository at `root`.

    Links to logs are relative to where the page lies: by default in `results`.
    """
    with Reader.open(results / HISTORY) as history:
        content = read_content(history, root)
    page = file or results / FILE
    text = render(content, os.path.relpath(results.absolute(), page.absolute().parent))
    temporary = page.with_name(f".{page.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)
    return page


def render(content: Content, results: str) -> str:
    """The page; `results` is the path from its folder to the results."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "day": _day,
        "number": _number,
        "colour": colour_of,
        "chart": _chart,
        "symbol": _SYMBOLS.__getitem__,
        "css": lambda outcome: outcome.name.lower().replace("_", "-"),
        "better": _BETTER.__getitem__,
        "link": lambda path: quote(f"{results}/{path}"),
    }
    template = files("stbuild.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(content=content, outcomes=list(Outcome))


def _day(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= _WHOLE else f"{value:,.5g}"


def _chart(trend: Trend) -> Markup:
    series, changes = trend.series, trend.changes
    label = escape(f"{series.figure} of {series.cell}, {len(trend.points)} nights, {len(changes)} changes")
    alarms = [change.alarm for change in changes]
    return Markup(draw(trend.points, alarms, unit=series.unit, label=label, key=f"t{trend.number}"))
