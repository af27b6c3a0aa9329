"""Alarms: found where something shifted, silent where nothing did."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from stbuild.nightly.alarms import Alarm, Change, alarms
from stbuild.nightly.charts import SUSPICION, first_alarms
from stbuild.nightly.scores import Floats
from stbuild.nightly.values import Better, Cell, Comparison, Past, Point, Series


def series(*, exact: bool = False, better: Better = Better.HIGHER) -> Series:
    cell = Cell(project="projects/a", platform="u55c", target="sw_emu", device="native")
    return Series(
        id=1, cell=cell, host="h", figure="tokens_per_s@64", unit="tok/s", exact=exact, better=better
    )


def points(values: Sequence[float] | Floats, commits: Sequence[str] = ()) -> list[Point]:
    return [
        Point(night=i + 1, time_s=86400.0 * i, commit=commits[i] if commits else f"c{i}", value=float(value))
        for i, value in enumerate(values)
    ]


def alarms_in(series: Series, points: Sequence[Point]) -> tuple[Alarm, ...]:
    return alarms(Past(series=series, points=points))


def noise(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_shift_of_three_deviations_is_found_within_three_nights() -> None:
    histories = noise(1, 250, 403)
    histories[:, 400:] += 3
    suspected = first_alarms(histories, SUSPICION, begin=400).found
    assert (suspected < 403).mean() >= 0.88  # 92 to 94 % of the benchmark less two standard errors
    alone = first_alarms(histories).found
    assert ((alone >= 400) & (alone < 403)).mean() >= 0.65


def test_a_small_shift_is_found_within_sixty_nights() -> None:
    histories = noise(2, 60, 660)
    histories[:, 600:] -= 0.6
    found = first_alarms(histories, SUSPICION, begin=600).found
    assert (found < 660).mean() >= 0.8


NIGHTS = np.arange(730)
QUIET: dict[str, Callable[[], Floats]] = {
    "normal": lambda: noise(3, 60, 730),
    "lognormal": lambda: np.exp(noise(4, 60, 730)),
    "two modes": lambda: noise(5, 60, 730) + 10 * (np.random.default_rng(5).random((60, 730)) < 0.1),
    "slow drift": lambda: noise(6, 60, 730) + NIGHTS / 365,
    "fast drift": lambda: noise(7, 60, 730) + NIGHTS / 36.5,
    "constant": lambda: np.full((2, 730), 7.0),
}


@pytest.mark.parametrize("kind", QUIET)
def test_noise_and_drift_do_not_alarm(kind: str) -> None:
    found = first_alarms(1 + 0.05 * QUIET[kind]()).found
    assert (found < 730).sum() <= 4  # 1.2 of 60 are expected at 1 % a year; five are less than 1 % likely


def test_an_alarm_names_the_commits_and_both_levels() -> None:
    values = 100 + noise(8, 220)
    values[200:] -= 10
    (alarm,) = alarms_in(series(), points(values))
    assert (alarm.change, alarm.before.commit, alarm.since.commit) == (Change.LARGE, "c199", "c200")
    assert alarm.found.night - alarm.since.night <= 2
    assert alarm.worse is True
    assert str(alarm).startswith("tokens_per_s@64 shifted from ")
    assert str(alarm).endswith("between commits c199 and c200")


def test_a_second_shift_is_found_against_the_first() -> None:
    values = 100 + noise(9, 400)
    values[150:] += 20
    values[300:] -= 40
    found = alarms_in(series(better=Better.LOWER), points(values))
    assert [(each.since.night - 1, each.worse) for each in found] == [(150, True), (300, False)]


def test_a_night_that_does_not_stay_is_no_alarm() -> None:
    values = 100 + noise(10, 300)
    values[250] += 1000
    assert alarms_in(series(), points(values)) == ()


def test_what_is_exact_is_reported_at_any_change() -> None:
    found = alarms_in(series(exact=True, better=Better.LOWER), points([5, 5, 6, 6, 5]))
    assert [(each.since.night, each.old, each.new, each.worse) for each in found] == [
        (3, 5, 6, True),
        (5, 6, 5, False),
    ]
    assert all(each.change is Change.EXACT for each in found)


def test_the_machine_is_named_where_the_commit_is_the_same() -> None:
    (alarm,) = alarms_in(series(exact=True), points([1, 2], ["abc", "abc"]))
    assert str(alarm).endswith("with the same commit abc: the machine changed")


def test_the_least_change_of_an_exact_figure_can_be_read() -> None:
    (alarm,) = alarms_in(series(exact=True), points([1_234_567, 1_234_568]))
    assert "changed from 1,234,567 to 1,234,568 tok/s (+1), between" in str(alarm)
    (alarm,) = alarms_in(series(exact=True), points([0.012345678, 0.012345679]))
    assert "changed from 0.012345678 to 0.012345679 tok/s (+1e-09), between" in str(alarm)


def test_without_commits_none_is_blamed() -> None:
    (alarm,) = alarms_in(series(exact=True), points([1, 2], ["", ""]))
    assert str(alarm).endswith("(+100.0%), in no git repository")


def test_neither_direction_is_worse_where_none_is_better() -> None:
    (alarm,) = alarms_in(series(exact=True, better=Better.NEITHER), points([0, 2]))
    assert (alarm.worse, alarm.relative) == (None, None)
    assert "(+2)" in str(alarm)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 22, 25])
def test_a_short_history_is_silent(count: int) -> None:
    assert alarms_in(series(), points(100 + noise(11, count))) == ()


def compared(*, night: int, is_commit: bool) -> Comparison:
    """A comparison with night 20 of a shift since night 29."""
    return Comparison(
        figure="tokens_per_s@64",
        night=night,
        before=20,
        since=29,
        large=True,
        times=6,
        old=100.0,
        new=90.0,
        is_commit=is_commit,
    )


def test_a_commit_that_differs_from_an_old_one_in_the_same_night_is_an_alarm() -> None:
    past = Past(
        series=series(), points=points(100 + noise(13, 30)), comparisons=[compared(night=30, is_commit=True)]
    )
    (alarm,) = alarms(past)
    assert (alarm.before.night, alarm.since.night, alarm.found.night) == (20, 29, 30)
    assert (alarm.old, alarm.new, alarm.worse, alarm.is_machine) == (100, 90, True, False)
    assert str(alarm) == (
        "tokens_per_s@64 shifted from 100 to 90 tok/s (-10.0%), between commits c19 and c29 "
        "(measured in turns in one night, 6 times each)"
    )


def test_a_comparison_that_shows_nothing_is_no_alarm() -> None:
    past = Past(
        series=series(), points=points(100 + noise(13, 30)), comparisons=[compared(night=30, is_commit=False)]
    )
    assert alarms(past) == ()


def test_a_shift_that_the_old_commit_has_too_is_the_machines() -> None:
    values = 100 + noise(8, 220)
    values[200:] -= 10
    (alarm,) = alarms_in(series(), points(values))
    same = replace(compared(night=alarm.found.night, is_commit=False), before=180, since=alarm.since.night)
    (alarm,) = alarms(Past(series=series(), points=points(values), comparisons=[same]))
    assert (alarm.is_machine, alarm.is_commit) == (True, False)
    assert "and commit c199 measures the same as c200 now: the machine changed" in str(alarm)


def test_the_last_night_is_suspected_as_the_whole_history_is() -> None:
    histories = noise(14, 40, 150)
    histories[:, 120:] += 1.5
    whole = first_alarms(histories, SUSPICION, begin=100)
    for night in range(100, 150):
        last = first_alarms(histories[:, : night + 1], SUSPICION, begin=night).found == night
        assert (last[whole.found == night]).all()
        assert not last[whole.found > night].any()


def test_a_chart_that_was_refuted_adds_up_anew() -> None:
    histories = noise(15, 20, 130)
    histories[:, 120:] += 6
    first = first_alarms(histories, SUSPICION).found
    again = first_alarms(histories, SUSPICION, after=first + 1).found
    assert (first < 124).all()
    assert (again >= np.minimum(first + 2, 130)).all()
    assert (again < 130).all()


def of(found: tuple[Alarm, ...]) -> list[int]:
    return [each.since.night for each in found]


def test_later_nights_do_not_change_earlier_alarms() -> None:
    values = 100 + noise(12, 330)
    values[200:] += 8
    values[280:] -= 8
    everything = of(alarms_in(series(), points(values)))
    assert of(alarms_in(series(), points(values[:260]))) == everything[:1]
