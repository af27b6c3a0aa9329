"""What changed with a night is told and decides how it ends; what looks odd is measured again."""

import json
import socket
import sqlite3
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from stbuild.nightly.alarms import alarms
from stbuild.nightly.found import alarms_of_night, judged
from stbuild.nightly.history import FILE, History, Reader
from stbuild.nightly.outcome import Outcome
from stbuild.nightly.repeating import combined
from stbuild.nightly.suspicion import odd_figures
from stbuild.nightly.values import Better, Cell, Figure, Night, Past, Point, Result, Series
from stbuild.report.page import write_page
from tests.conftest import WorkspaceFolder
from tests.nightly.conftest import PLAN, RunNight

CELL = Cell(project="tiny", platform="u55c", target="sw_emu", device="native")
HOST = "h"


def set_values(file: Path, figure: str, value: float) -> None:
    """Change what the history has of a figure."""
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE value SET value = ? WHERE series = (SELECT id FROM series WHERE figure = ?)",
            (value, figure),
        )


def test_an_exact_figure_that_changed_decides_the_outcome_and_stands_in_all_reports(
    night: RunNight, built: WorkspaceFolder
) -> None:
    first = night()
    results = first.folder.parents[1]
    set_values(results / FILE, "cycles@decode", 1000.0)
    set_values(results / FILE, "memory_bytes", 1e9)
    told: list[str] = []
    ended = night(told=told)
    (result,) = ended.results
    assert (ended.outcome, ended.exit_code, result.outcome) == (Outcome.SLOWDOWN, 4, Outcome.SLOWDOWN)
    assert result.message.startswith("cycles@decode changed from 1,000 to ")
    assert "memory_bytes" not in result.message  # for the better: told, and no failure
    assert any(line.startswith("  memory_bytes changed from 1,000,000,000 to ") for line in told)
    (cell,) = json.loads((ended.folder / "night.json").read_text())["cells"]
    changes = {each["figure"]: each for each in cell["alarms"]}
    assert {name: each["worse"] for name, each in changes.items()} == {
        "cycles@decode": True,
        "memory_bytes": False,
    }
    assert changes["cycles@decode"]["before"]["night"] == 1
    suites = ElementTree.parse(ended.folder / "junit.xml").getroot()
    cases = {case.get("name"): case for case in suites.iter("testcase")}
    assert cases["change of cycles@decode"].find("failure") is not None
    assert cases["change of memory_bytes"].find("failure") is None
    assert "changed for the worse" in write_page(results, built.root).read_text()
    assert night().outcome is Outcome.GOOD


def written(
    path: Path,
    values: dict[str, "np.ndarray[tuple[int], np.dtype[np.float64]]"],
    host: str,
    commit: str = "c",
) -> Night:
    """A history with these values of `CELL`, a night each; its last night."""
    with History(path) as history:
        for row in zip(*values.values(), strict=True):
            night = history.begin(
                host=host, commit=commit, dirty=False, committed_s=None, plan="", stbuild="1"
            )
            figures = tuple(figure(name, float(value)) for name, value in zip(values, row, strict=True))
            history.add(night, result_of(figures))
            history.end(night, Outcome.GOOD)
    return night


def figure(name: str, value: float) -> Figure:
    return Figure(name=name, value=value, unit="tok/s", better=Better.HIGHER)


def result_of(figures: tuple[Figure, ...]) -> Result:
    return Result(cell=CELL, outcome=Outcome.GOOD, began_s=0.0, seconds=1.0, figures=figures)


def quiet(nights: int, level: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return level * (1 + 0.001 * np.random.default_rng(1).standard_normal(nights))


def test_what_looks_odd_is_measured_again_and_a_shift_that_stays_is_a_slowdown(
    night: RunNight, built: WorkspaceFolder, tmp_path: Path
) -> None:
    name = "tokens_per_s@9"
    written(built.root / f"results-{tmp_path.name}" / FILE, {name: quiet(150, 1e7)}, socket.gethostname())
    plan = PLAN.replace("repeats: 2", "repeats: 1, slow_factor: 1.0e+9, again: 2")
    told: list[str] = []
    outcomes = []
    for _ in range(2):
        ended = night(plan=plan, told=told)
        figures = {each.name: each.value for each in ended.results[0].figures}
        assert figures["measurements"] == 3
        outcomes.append(ended.outcome)
    assert outcomes == [Outcome.GOOD, Outcome.SLOWDOWN]  # one night is no shift
    assert f"tiny u55c sw_emu native: {name} may have shifted; measuring 2 times more" in told
    assert ended.results[0].message.startswith(f"{name} shifted from 9,99")


def test_what_is_as_ever_is_measured_once(tmp_path: Path) -> None:
    values = {"tokens_per_s@9": quiet(150, 100.0), "power_w": quiet(150, 30.0)}
    written(tmp_path / FILE, values, HOST)
    with Reader.open(tmp_path / FILE) as history:
        usual, fast = figure("tokens_per_s@9", 100.0), figure("tokens_per_s@9", 101.0)
        assert odd_figures(history, CELL, HOST, (usual, figure("power_w", 30.0))) == ()
        assert odd_figures(history, CELL, HOST, (fast, figure("power_w", 30.0))) == ("tokens_per_s@9",)
        assert odd_figures(history, CELL, "another", (fast,)) == ()


def test_the_median_of_all_measurements_counts() -> None:
    measured = [
        (figure("tokens_per_s@9", value), Figure(name="measured_s", value=2.0, unit="s"))
        for value in (1, 9, 2)
    ]
    found = {each.name: each.value for each in combined(measured)}
    assert found == {"tokens_per_s@9": 2, "measured_s": 6, "measurements": 3}


def test_an_alarm_is_of_the_night_that_found_it(tmp_path: Path) -> None:
    values = quiet(153, 100.0)
    values[150:] = 90.0
    last = written(tmp_path / FILE, {"tokens_per_s@9": values}, HOST)
    with Reader.open(tmp_path / FILE) as history:
        (series,) = history.series()
        (alarm,) = alarms(history.past(series))
        assert (alarm.since.night, alarm.found.night) == (151, 152)
        result = result_of((figure("tokens_per_s@9", 90.0),))
        assert alarms_of_night(history, last, result) == ()
        before = next(each for each in history.nights() if each.id == 152)
        assert alarms_of_night(history, before, result) == (alarm,)


@pytest.mark.parametrize(
    ("name", "better", "outcome"),
    [
        ("top1", Better.HIGHER, Outcome.WRONG_RESULT),
        ("kl", Better.HIGHER, Outcome.WRONG_RESULT),
        ("cycles@decode", Better.HIGHER, Outcome.SLOWDOWN),
        ("cycles@decode", Better.LOWER, Outcome.GOOD),
        ("build_s", Better.HIGHER, Outcome.GOOD),
        ("actions_run", Better.NEITHER, Outcome.GOOD),
    ],
)
def test_what_a_change_makes_of_the_outcome(name: str, better: Better, outcome: Outcome) -> None:
    series = Series(id=1, cell=CELL, host=HOST, figure=name, unit="", exact=True, better=better)
    points = [Point(night=i, time_s=0.0, commit="c", value=float(3 - i)) for i in (1, 2)]
    found = judged(result_of(()), alarms(Past(series=series, points=points)))
    assert found.outcome is outcome
    assert (name in found.message) == (outcome is not Outcome.GOOD)
