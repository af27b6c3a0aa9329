"""The history outlasts years, kills and other readers, and says what it cannot take."""

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stbuild.errors import StbuildError
from stbuild.nightly.history import History, Reader
from stbuild.nightly.outcome import Fault, Outcome
from stbuild.nightly.values import Better, Cell, Comparison, Figure, Night, Result
from tests.conftest import CHECKOUT

CELL = Cell(project="projects/x", platform="u55c", target="sw_emu", device="native")
SPEED = Figure(name="tokens_per_s@64", value=40.5, unit="tok/s", better=Better.HIGHER)
CYCLES = Figure(name="cycles_decode", value=1234567, unit="cycles", exact=True)


def begin(history: History, **changes: Any) -> Night:
    """A night on a host called `lab`."""
    usual: dict[str, Any] = {
        "host": "lab",
        "commit": "ab" * 20,
        "dirty": False,
        "committed_s": 1.0,
        "plan": "p",
        "stbuild": "0.1",
    }
    return history.begin(**{**usual, **changes})


def result(*figures: Figure, cell: Cell = CELL, **more: Any) -> Result:
    """A cell that came out good."""
    return Result(
        cell=cell,
        outcome=more.pop("outcome", Outcome.GOOD),
        began_s=2.0,
        seconds=3.0,
        figures=figures,
        **more,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a history will be."""
    return tmp_path / "deep/history.sqlite"


def test_what_is_added_is_read_again(path: Path) -> None:
    keys = {"//x:hls#Hls": "k" * 64}
    seen = result(SPEED, CYCLES, tools={"g++": "14"}, keys=keys, log="nights/1/x.log", described="emulated")
    with History(path) as history:
        night = begin(history)
        history.add(night, seen)
        history.end(night, Outcome.GOOD)
    with Reader.open(path) as reader:
        (night,) = reader.nights()
        assert (night.host, night.commit, night.outcome) == ("lab", "ab" * 20, Outcome.GOOD)
        assert night.ended_s is not None
        assert night.ended_s >= night.began_s
        (found,) = reader.results(night)
        assert set(found.figures) == set(seen.figures)
        assert (found.cell, found.tools, found.keys) == (CELL, seen.tools, keys)
        cycles, speed = reader.series()
        assert (cycles.figure, cycles.exact, speed.better) == ("cycles_decode", True, Better.HIGHER)
        (point,) = reader.points(speed)
        assert (point.night, point.commit, point.value) == (night.id, "ab" * 20, 40.5)


def test_a_series_goes_on_over_nights_and_recent_counts_good_cells_only(path: Path) -> None:
    with History(path) as history:
        for number in range(4):
            figure = Figure(name="tokens_per_s@64", value=number, unit="tok/s", better=Better.HIGHER)
            outcome = Outcome.SLOWDOWN if number == 2 else Outcome.GOOD
            history.add(begin(history), result(figure, outcome=outcome))
        (series,) = history.series()
        assert [point.value for point in history.points(series)] == [0, 1, 2, 3]
        recent = history.recent(CELL, "lab", "tokens_per_s@64", 2)
        assert [point.value for point in recent] == [1, 3]


def test_a_cell_is_added_whole_or_not_at_all(path: Path) -> None:
    with History(path) as history:
        night = begin(history)
        with pytest.raises(sqlite3.IntegrityError):
            history.add(night, result(SPEED, SPEED))
        assert history.results(night) == []
        history.add(night, result(SPEED))
        with pytest.raises(sqlite3.IntegrityError):
            history.add(night, result(SPEED))
        assert len(history.results(night)) == 1


def test_a_reader_sees_what_is_there_while_another_process_writes(path: Path) -> None:
    with History(path) as history:
        begin(history)
        program = (
            "import sqlite3, sys\n"
            "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "c.execute('BEGIN IMMEDIATE')\n"
            "c.execute(\"UPDATE night SET host = 'other'\")\n"
            "print('holds', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "holds\n"
            began = time.monotonic()
            with Reader.open(path) as reader:
                assert [night.host for night in reader.nights()] == ["lab"]
            assert time.monotonic() - began < 5
            process.kill()
        assert [night.host for night in history.nights()] == ["lab"]


def test_years_fit(path: Path) -> None:
    """20 figures of 12 cells: 300 nights take less than a tenth of 100 MB, so that 8 years fit."""
    with History(path) as history:
        history._connection.execute("PRAGMA synchronous = OFF")  # the test's time, not its size
        for night in range(300):
            begun = begin(history)
            keys = {f"//p:t{i}#Step": f"{night // 3}{i}".rjust(64, "k") for i in range(40)}
            for number in range(12):
                figures = [Figure(name=f"f{i}", value=night / 7 + i, unit="ms") for i in range(20)]
                cell = Cell(project=f"projects/p{number}", platform="u55c", target="hw", device="xrt:0")
                history.add(begun, result(*figures, cell=cell, keys=keys, log="nights/1/some_long_name.log"))
    size = sum(each.stat().st_size for each in path.parent.iterdir())
    assert size < 10e6, size


def test_a_history_of_a_newer_version_is_refused(path: Path) -> None:
    History(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 3")
    for kind in (History, Reader.open):
        with pytest.raises(StbuildError, match=r"the history has version 3, this stbuild reads up to 2"):
            kind(path)


def test_a_history_from_before_comparisons_is_gone_on_with(path: Path) -> None:
    with History(path) as history:
        history.add(begin(history), result(SPEED))
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE comparison")
        connection.execute("PRAGMA user_version = 1")
    with Reader.open(path) as reader:
        (series,) = reader.series()
        assert reader.past(series).comparisons == []
    with History(path) as history:
        night = begin(history)
        seen = Comparison(
            figure="tokens_per_s@64",
            night=night.id,
            before=1,
            since=2,
            large=True,
            times=6,
            old=40.0,
            new=30.0,
            is_commit=True,
        )
        history.add(night, result(SPEED, comparisons=(seen,)))
        assert history.past(series).comparisons == [seen]
        assert history.results(night)[0].comparisons == (seen,)


def test_what_is_no_history_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be looked at as one by SQLite" * 20)
    with pytest.raises(StbuildError, match=r"the history cannot be opened: file is not a database"):
        History(path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(StbuildError, match="this is no history of stbuild nightly"):
        History(path)
    with pytest.raises(StbuildError, match="there is no history at"):
        Reader.open(path.parent / "other")


def test_a_clock_that_was_set_back_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with History(path) as history:
        begin(history)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    with pytest.raises(StbuildError, match=r"the clock was set back: the last night .* now it is 2001-09"):
        History(path)
    with Reader.open(path) as reader:
        assert len(reader.nights()) == 1


def test_quarantine_lasts_until_a_device_works(path: Path) -> None:
    with History(path) as history:
        history.quarantine(begin(history), "xrt:0", Fault.HUNG.value)
        assert history.quarantined("lab") == {"xrt:0": "hung kernel"}
        assert history.quarantined("other") == {}
        history.release("lab", "xrt:0")
        assert history.quarantined("lab") == {}


def test_a_kill_in_the_midst_of_a_cell_loses_only_that_cell(path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\n"
        "from tests.nightly.test_history import *\n"
        "history = History(Path(sys.argv[1]))\nnight = begin(history)\nhistory.add(night, result(SPEED))\n"
        "history._connection.execute('BEGIN')\nhistory.quarantine(night, 'xrt:0', 'x')\nos._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=CHECKOUT, check=False)
    assert done.returncode == 9
    with History(path) as history:
        (night,) = history.nights()
        assert night.ended_s is None
        assert len(history.results(night)) == 1
        assert history.quarantined("lab") == {}
