"""Two commits measured in turns: a shift is shown, and none is where there is none, whatever the noise."""

from collections.abc import Callable

import numpy as np
import pytest

from stbuild.nightly.paired import LOOKS, is_shifted

MOST = 60
RNG = np.random.default_rng(1)
NOISES: dict[str, Callable[[], float]] = {
    "normal": RNG.standard_normal,
    "heavy tails": lambda: float(RNG.standard_t(3)),
    "two modes": lambda: float(RNG.standard_normal() + 10 * (RNG.random() < 0.5)),
    "none": lambda: 7.0,
}


def verdict(noise: Callable[[], float], shift: float, *, upward: bool = True) -> tuple[bool, int]:
    """Measure until it is decided."""
    old: list[float] = []
    new: list[float] = []
    while len(old) < MOST:
        old.append(noise())
        new.append(noise() + shift)
        found = is_shifted(old, new, upward=upward, most=MOST)
        if found is not None:
            return found, len(old)
    raise AssertionError("undecided")


@pytest.mark.parametrize("kind", NOISES)
def test_equal_commits_seldom_differ(kind: str) -> None:
    found = [verdict(NOISES[kind], 0.0) for _ in range(300)]
    assert sum(shifted for shifted, _ in found) <= 8  # 2 are expected; nine are less than 0.1 % likely
    assert np.mean([count for _, count in found]) < 30


def test_a_large_shift_is_shown_by_few_measurements() -> None:
    found = [verdict(NOISES["normal"], 3.2) for _ in range(50)]
    assert all(shifted for shifted, _ in found)
    assert np.mean([count for _, count in found]) < 9


def test_a_small_shift_is_mostly_shown() -> None:
    assert sum(verdict(NOISES["normal"], 0.63)[0] for _ in range(200)) >= 90


def test_without_noise_the_first_look_tells() -> None:
    assert verdict(NOISES["none"], 1e-9) == (True, LOOKS[0])


def test_the_other_direction_is_not_the_one_suspected() -> None:
    assert verdict(NOISES["normal"], 5.0, upward=False) == (False, LOOKS[0])
    assert verdict(NOISES["normal"], -5.0, upward=False) == (True, LOOKS[0])


def test_after_the_last_measurement_what_is_not_shown_is_not_so() -> None:
    old, new = [float(i) for i in range(8)], [i + 0.5 for i in range(8)]
    assert is_shifted(old, new, upward=True, most=60) is None
    assert is_shifted(old, new, upward=True, most=8) is False
