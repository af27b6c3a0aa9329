"""How soon shifts are found in synthetic histories of nights, and how often nothing is found to be something.

    python -m benchmarks.alarms [--histories 2000]

All figures are simulated: seeded noise, not measured nights. First, all noise is the night's:
measuring again in the same night, which a night does where a value looks odd, tells nothing new. Then part of
the noise is the measurement's, and goes where it is measured again, as `stbuild nightly` does it.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from stbuild.nightly.charts import first_alarms, is_odd
from stbuild.nightly.plan import Measure
from stbuild.nightly.scores import FIRST, Floats, score_last

YEAR = 365
NOISE = 0.05
"""Standard deviation of a night, as a share of the value."""

KNOWN = 600
"""Nights before a shift in the histories of the targets; shorter ones are printed beside them."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the result."""

    what: str
    found: str
    target: str
    holds: bool | None


def noises(rng: np.random.Generator, rows: int, nights: int) -> Iterator[tuple[str, Floats]]:
    """Histories in which nothing shifts."""
    shape = (rows, nights)
    normal = rng.standard_normal
    years = np.arange(nights) / YEAR
    yield "normal noise", normal(shape)
    yield "Student's t noise, 3 degrees of freedom", rng.standard_t(3, shape)
    yield "lognormal noise", np.exp(normal(shape))
    yield "two modes, 10 sd apart, half and half", normal(shape) + 10 * (rng.random(shape) < 0.5)
    yield "two modes, 10 sd apart, one night in ten", normal(shape) + 10 * (rng.random(shape) < 0.1)
    yield "two modes, 10 sd apart, one night in fifty", normal(shape) + 10 * (rng.random(shape) < 0.02)
    for drift in (0.25, 0.5, 1, 3, 10):
        yield f"drift of {drift} sd a year", normal(shape) + drift * years


def false_alarms(rng: np.random.Generator, rows: int) -> Iterator[Row]:
    """How many histories of two years without a shift have an alarm, a year."""
    nights = 2 * YEAR
    for what, histories in noises(rng, rows, nights):
        found = first_alarms(1 + NOISE * histories).found
        rate = float((found < nights).mean()) * YEAR / (nights - FIRST)
        error = float(np.sqrt(rate / rows / 2))
        yield Row(
            what=f"false alarms: {what}",
            found=f"{rate:.2%} +- {error:.2%} a series and year",
            target="under 1 %",
            holds=rate < 0.01,
        )


def delays(rng: np.random.Generator, rows: int, known: int, shift: float, after: int) -> Floats:
    """Nights until an alarm, counted from the first shifted one as 1, in histories that had none before."""
    histories = rng.standard_normal((rows, known + after))
    histories[:, known:] += shift * rng.choice([-1.0, 1.0], size=(rows, 1))
    found = first_alarms(1 + NOISE * histories).found
    return np.where(found == known + after, np.inf, found - known + 1.0)[found >= known]


def shifts(rng: np.random.Generator, rows: int) -> Iterator[Row]:
    """How soon the two shifts of the targets are found."""
    for known in (60, 120, 240, YEAR, KNOWN):
        share = float((delays(rng, rows, known, 3.0, 3) <= 3).mean())
        target = "80 %" if known == KNOWN else ""
        holds = share >= 0.8 if target else None
        yield Row(
            what=f"shift of 3 sd after {known} nights: within 3 nights",
            found=f"{share:.1%}",
            target=target,
            holds=holds,
        )
    for known in (120, 240, YEAR, KNOWN):
        median = float(np.median(delays(rng, rows // 2, known, 0.03 / NOISE, 150)))
        target = "60 nights" if known == KNOWN else ""
        holds = median <= 60 if target else None
        yield Row(
            what=f"shift of 3 % in noise of 5 % after {known} nights: median",
            found=f"{median:.0f} nights",
            target=target,
            holds=holds,
        )


Draw = Callable[[int], Floats]
"""Noise of one measurement of so many histories, `[rows]`."""


def measured_nights(shared: Floats, draw: Draw) -> tuple[Floats, float]:
    """Nights of which `shared` is what all measurements of a night have in common (`[rows, nights]`).

    The second value is the share of nights that were measured again.
    """
    rows, nights = shared.shape
    found = np.empty_like(shared)
    scores, repeated = np.zeros((rows, 3)), 0
    for night in range(nights):
        found[:, night] = 1 + NOISE * (shared[:, night] + draw(rows))
        tonight = score_last(found[:, : night + 1])
        odd = is_odd(np.column_stack([scores[:, 1:], tonight]))
        if odd.any():
            more = [1 + NOISE * (shared[odd, night] + draw(int(odd.sum()))) for _ in range(Measure().again)]
            found[odd, night] = np.median([found[odd, night], *more], axis=0)
            tonight[odd] = score_last(found[odd, : night + 1])
            repeated += int(odd.sum())
        scores = np.column_stack([scores[:, 1:], tonight])
    return found, repeated / shared.size


def measured_again(rng: np.random.Generator, rows: int, share: float) -> Iterator[Row]:
    """The targets where `share` of a night's variance is that of its measurements."""
    own, common = math.sqrt(share), math.sqrt(1 - share)
    what = f"{share:.0%} of the variance is measured again: "

    def normal(count: int) -> Floats:
        noise: Floats = own * rng.standard_normal(count)
        return noise

    def rare_mode(count: int) -> Floats:
        return normal(count) + 10 * (rng.random(count) < 0.02)

    def late(shift: float, after: int) -> Floats:
        shared = common * rng.standard_normal((rows, KNOWN + after))
        shared[:, KNOWN:] += shift
        nights = measured_nights(shared, normal)[0]
        found = first_alarms(nights).found
        taken: Floats = np.where(found == KNOWN + after, np.inf, found - KNOWN + 1.0)[found >= KNOWN]
        return taken

    hits = float((late(3.0, 3) <= 3).mean())
    yield Row(what=f"{what}3 sd", found=f"{hits:.1%} in 3 nights", target="80 %", holds=hits >= 0.8)
    median = float(np.median(late(0.03 / NOISE, 150)))
    yield Row(what=f"{what}3 % in 5 %", found=f"{median:.0f} nights", target="60 nights", holds=median <= 60)
    for name, draw, drift in (
        ("normal", normal, 0.0),
        ("rare mode", rare_mode, 0.0),
        *((f"drift {drift} sd a year", normal, drift) for drift in (0.25, 1.0, 3.0)),
    ):
        years = np.arange(2 * YEAR) / YEAR
        shared = common * rng.standard_normal((rows, 2 * YEAR)) + drift * years
        nights, repeated = measured_nights(shared, draw)
        rate = float((first_alarms(nights).found < 2 * YEAR).mean()) * YEAR / (2 * YEAR - FIRST)
        error = float(np.sqrt(rate / rows / 2))
        yield Row(
            what=f"{what}{name}",
            found=f"{rate:.2%} +- {error:.2%} ({repeated:.1%} of nights again)",
            target="under 1 %",
            holds=rate < 0.01,
        )


def main() -> None:
    """Print found and target side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    for rows in (
        shifts(rng, arguments.histories),
        false_alarms(rng, arguments.histories),
        *(measured_again(rng, arguments.histories // 2, share) for share in (0.5, 0.9)),
    ):
        for row in rows:
            verdict = "" if row.holds is None else "holds" if row.holds else "MISSED"
            print(f"{row.what:62} {row.found:44} {row.target:12} {verdict}", flush=True)


if __name__ == "__main__":
    main()
