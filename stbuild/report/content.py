"""What the page says, as values: the matrix, the changes and the trends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.nightly.alarms import Alarm, alarms_of_all
from stbuild.nightly.history import Reader
from stbuild.nightly.outcome import Outcome
from stbuild.nightly.values import Cell, Night, Point, Result, Series
from stbuild.report.commits import Commit, commits_between

RECENT = 30
"""Nights of a cell that the matrix shows."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """An alarm with the commits that may have caused it."""

    alarm: Alarm
    commits: tuple[Commit, ...]


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A series with its values and what changed in it; `number` is its place on the page."""

    number: int
    series: Series
    points: tuple[Point, ...]
    changes: tuple[Change, ...]

    @property
    def constant(self) -> bool:
        """Whether all values are the same."""
        return len({point.value for point in self.points}) == 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """A cell: what came of it in the last nights (None: it was not there), and its trends."""

    cell: Cell
    recent: tuple[tuple[Night, Result | None], ...]
    trends: tuple[Trend, ...]

    @property
    def last(self) -> Result | None:
        """What came of it in the last night."""
        return self.recent[-1][1]


@dataclass(frozen=True, kw_only=True)
class Since:
    """What changed since the last good night before this one; `good` is None where there is none."""

    good: Night | None
    outcomes: tuple[tuple[Cell, Outcome, Outcome], ...]
    tools: tuple[tuple[str, str, str], ...]
    changes: tuple[Change, ...]
    commits: tuple[Commit, ...]


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that the page shows."""

    night: Night
    rows: tuple[Row, ...]
    since: Since


def read_content(history: Reader, root: Path) -> Content:
    """The page's content as of the newest night; the commits are those of the repository at `root`."""
    nights = history.nights()
    if not nights:
        raise StbuildError("the history has no night", hint="run `stbuild nightly`")
    results = {night.id: history.results(night) for night in nights[-RECENT:]}
    trends = _trends(history, root)
    cells = sorted(
        {each.cell for found in results.values() for each in found} | {t.series.cell for t in trends}
    )
    rows = tuple(_row(cell, nights[-RECENT:], results, trends) for cell in cells)
    return Content(night=nights[-1], rows=rows, since=_since(history, root, nights, trends))


def _trends(history: Reader, root: Path) -> list[Trend]:
    histories = [each for series in history.series() if (each := history.past(series)).points]
    return [
        Trend(
            number=number,
            series=past.series,
            points=tuple(past.points),
            changes=tuple(
                Change(alarm=each, commits=() if each.is_machine else commits_between(root, *each.commits))
                for each in found
            ),
        )
        for number, (past, found) in enumerate(zip(histories, alarms_of_all(histories), strict=True))
    ]


def _row(
    cell: Cell, nights: Sequence[Night], results: Mapping[int, Sequence[Result]], trends: Sequence[Trend]
) -> Row:
    recent = tuple((night, _of_cell(results[night.id], cell)) for night in nights)
    return Row(cell=cell, recent=recent, trends=tuple(each for each in trends if each.series.cell == cell))


def _of_cell(results: Sequence[Result], cell: Cell) -> Result | None:
    return next((each for each in results if each.cell == cell), None)


def _since(history: Reader, root: Path, nights: Sequence[Night], trends: Sequence[Trend]) -> Since:
    last, earlier = nights[-1], nights[:-1]
    good = next((night for night in reversed(earlier) if night.outcome is Outcome.GOOD), None)
    if good is None:
        return Since(good=None, outcomes=(), tools=(), changes=(), commits=())
    before = {each.cell: each for each in history.results(good)}
    both = [(before[each.cell], each) for each in history.results(last) if each.cell in before]
    return Since(
        good=good,
        outcomes=tuple(
            (new.cell, old.outcome, new.outcome) for old, new in both if old.outcome != new.outcome
        ),
        tools=tuple(sorted({change for old, new in both for change in _tools(old.tools, new.tools)})),
        changes=tuple(
            change for trend in trends for change in trend.changes if change.alarm.found.night > good.id
        ),
        commits=commits_between(root, good.commit, last.commit),
    )


def _tools(old: Mapping[str, str], new: Mapping[str, str]) -> set[tuple[str, str, str]]:
    names = old.keys() | new.keys()
    return {(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)}
