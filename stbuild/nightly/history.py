"""The history of nights in SQLite: one process writes, any number read, also while it does.

`stbuild/nightly/schema.py` has the tables with what stands in each column.
"""

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

from stbuild.nightly.outcome import Fault, Outcome
from stbuild.nightly.schema import check_clock, connect, connect_to_read
from stbuild.nightly.values import Better, Cell, Comparison, Figure, Night, Past, Point, Result, Series

FILE = "history.sqlite"
_NIGHT = """
SELECT id, began_s, ended_s, host, "commit", dirty, committed_s, plan, stbuild, outcome FROM night"""
_CELL = """
SELECT id, project, platform, target, device, outcome, fault, message, began_s, seconds, tries, described,
       log, tools, keys FROM cell WHERE night = ?"""


class Reader:
    """A history that is read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """The history at `path`; a StbuildError says why it cannot be read."""
        return cls(connect_to_read(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def nights(self) -> list[Night]:
        """All nights, the newest last."""
        return [_night(row) for row in self._rows(f"{_NIGHT} ORDER BY id")]

    def series(self) -> list[Series]:
        """All series, by cell and figure."""
        rows = self._rows(
            "SELECT id, project, platform, target, device, host, figure, unit, exact, better FROM series "
            "ORDER BY project, platform, target, device, host, figure"
        )
        return [_series(row) for row in rows]

    def points(self, series: Series) -> list[Point]:
        """The values of a series, the newest last; of nights that were dirty too."""
        rows = self._rows(
            'SELECT night.id, night.began_s, night."commit", value.value FROM value '
            "JOIN cell ON cell.id = value.cell JOIN night ON night.id = cell.night "
            "WHERE value.series = ? ORDER BY night.id",
            series.id,
        )
        return [Point(night=n, time_s=t, commit=c, value=v) for n, t, c, v in rows]

    def past(self, series: Series) -> Past:
        """A series with all that is known of it."""
        found = self._comparisons("comparison.series = ?", series.id)
        return Past(series=series, points=self.points(series), comparisons=found)

    def results(self, night: Night) -> list[Result]:
        """What came of the cells of a night, in the order in which they were done."""
        return [self._result(row) for row in self._rows(f"{_CELL} ORDER BY id", night.id)]

    def quarantined(self, host: str) -> dict[str, str]:
        """The devices of a host that failed again after a reset, each with why."""
        return dict(self._rows("SELECT device, reason FROM quarantine WHERE host = ?", host))

    def recent(self, cell: Cell, host: str, figure: str, count: int) -> list[Point]:
        """The last values of a series from cells that came out good, the newest last."""
        rows = self._rows(
            'SELECT night.id, night.began_s, night."commit", value.value FROM value '
            "JOIN series ON series.id = value.series JOIN cell ON cell.id = value.cell "
            "JOIN night ON night.id = cell.night "
            "WHERE series.project = ? AND series.platform = ? AND series.target = ? AND series.device = ? "
            "AND series.host = ? AND series.figure = ? AND cell.outcome = ? ORDER BY cell.id DESC LIMIT ?",
            *(cell.project, cell.platform, cell.target, cell.device, host, figure, Outcome.GOOD.value, count),
        )
        return [Point(night=n, time_s=t, commit=c, value=v) for n, t, c, v in rows[::-1]]

    def _result(self, row: tuple[Any, ...]) -> Result:
        number, project, platform, target, device, outcome, fault, message, *rest = row
        began_s, seconds, tries, described, log, tools, keys = rest
        return Result(
            cell=Cell(project=project, platform=platform, target=target, device=device),
            outcome=Outcome(outcome),
            fault=Fault(fault) if fault else None,
            message=message,
            began_s=began_s,
            seconds=seconds,
            tries=tries,
            described=described,
            log=log,
            figures=tuple(self._figures(number)),
            comparisons=tuple(self._comparisons("comparison.cell = ?", number)),
            tools=self._context(tools),
            keys=self._context(keys),
        )

    def _figures(self, cell: int) -> Iterator[Figure]:
        rows = self._rows(
            "SELECT figure, value, unit, better, exact FROM value JOIN series ON series.id = value.series "
            "WHERE cell = ? ORDER BY figure",
            cell,
        )
        for name, value, unit, better, exact in rows:
            yield Figure(name=name, value=value, unit=unit, better=Better(better), exact=bool(exact))

    def _comparisons(self, which: str, number: int) -> list[Comparison]:
        if not self._rows("SELECT 1 FROM sqlite_master WHERE name = 'comparison'"):
            return []  # a history of version 1 that no night has gone on with
        rows = self._rows(
            'SELECT figure, cell.night, "before", since, "large", times, "old", "new", is_commit '
            "FROM comparison "
            "JOIN series ON series.id = comparison.series JOIN cell ON cell.id = comparison.cell "
            f"WHERE {which} ORDER BY cell.night, figure",
            number,
        )
        return [
            Comparison(
                figure=figure,
                night=night,
                before=before,
                since=since,
                large=bool(large),
                times=times,
                old=old,
                new=new,
                is_commit=bool(is_commit),
            )
            for figure, night, before, since, large, times, old, new, is_commit in rows
        ]

    def _context(self, number: int | None) -> dict[str, str]:
        for (data,) in self._rows("SELECT text FROM context WHERE id = ?", number):
            found: dict[str, str] = json.loads(zlib.decompress(data))
            return found
        return {}

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()


class History(Reader):
    """A history that is written; each cell is durable when `add` returns."""

    def __init__(self, path: Path) -> None:
        super().__init__(connect(path))
        check_clock(self._connection, path)

    def begin(
        self, *, host: str, commit: str, dirty: bool, committed_s: float | None, plan: str, stbuild: str
    ) -> Night:
        """A new night."""
        found = self._connection.execute(
            'INSERT INTO night (began_s, host, "commit", dirty, committed_s, plan, stbuild) '
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (time.time(), host, commit, dirty, committed_s, plan, stbuild),
        )
        return _night(self._rows(f"{_NIGHT} WHERE id = ?", found.lastrowid)[0])

    def end(self, night: Night, outcome: Outcome) -> None:
        """Note how a night ended."""
        values = (time.time(), outcome.value, night.id)
        self._connection.execute("UPDATE night SET ended_s = ?, outcome = ? WHERE id = ?", values)

    def add(self, night: Night, result: Result) -> None:
        """Add what came of a cell, all of it or nothing."""
        cell = result.cell
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            number = self._connection.execute(
                f"INSERT INTO cell VALUES (NULL{', ?' * 15})",
                (night.id, cell.project, cell.platform, cell.target, cell.device, result.outcome.value,
                 result.fault.value if result.fault else "", result.message, result.began_s, result.seconds,
                 result.tries, result.described, result.log,
                 self._share(result.tools), self._share(result.keys)),
            ).lastrowid  # fmt: skip
            series = {each.name: self._number(cell, night.host, each) for each in result.figures}
            rows = [(series[each.name], number, each.value) for each in result.figures]
            self._connection.executemany("INSERT INTO value VALUES (?, ?, ?)", rows)
            compared = [
                (series[e.figure], number, e.before, e.since, e.large, e.times, e.old, e.new, e.is_commit)
                for e in result.comparisons
            ]
            self._connection.executemany(f"INSERT INTO comparison VALUES (?{', ?' * 8})", compared)

    def quarantine(self, night: Night, device: str, reason: str) -> None:
        """Note that a device failed again after a reset."""
        values = (night.host, device, night.id, reason)
        self._connection.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?)", values)

    def release(self, host: str, device: str) -> None:
        """Note that a device works."""
        self._connection.execute("DELETE FROM quarantine WHERE host = ? AND device = ?", (host, device))

    def _number(self, cell: Cell, host: str, figure: Figure) -> int:
        """The series of a figure, which is made when it first comes."""
        place = (cell.project, cell.platform, cell.target, cell.device, host, figure.name)
        self._connection.execute(
            "INSERT INTO series (project, platform, target, device, host, figure, unit, exact, better) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (*place, figure.unit, figure.exact, figure.better.value),
        )
        found: int = self._rows(
            "SELECT id FROM series WHERE project = ? AND platform = ? AND target = ? AND device = ? "
            "AND host = ? AND figure = ?",
            *place,
        )[0][0]
        return found

    def _share(self, values: Mapping[str, str]) -> int:
        """The row of a text that many cells share."""
        text = json.dumps(dict(values), sort_keys=True, separators=(",", ":")).encode()
        digest = blake2b(text, digest_size=16).digest()
        self._connection.execute(
            "INSERT INTO context (digest, text) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (digest, zlib.compress(text)),
        )
        found: int = self._rows("SELECT id FROM context WHERE digest = ?", digest)[0][0]
        return found


def _night(row: tuple[Any, ...]) -> Night:
    number, began_s, ended_s, host, commit, dirty, committed_s, plan, stbuild, outcome = row
    return Night(
        id=number,
        began_s=began_s,
        ended_s=ended_s,
        host=host,
        commit=commit,
        dirty=bool(dirty),
        committed_s=committed_s,
        plan=plan,
        stbuild=stbuild,
        outcome=Outcome(outcome) if outcome else None,
    )


def _series(row: tuple[Any, ...]) -> Series:
    number, project, platform, target, device, host, figure, unit, exact, better = row
    return Series(
        id=number,
        cell=Cell(project=project, platform=platform, target=target, device=device),
        host=host,
        figure=figure,
        unit=unit,
        exact=bool(exact),
        better=Better(better),
    )
