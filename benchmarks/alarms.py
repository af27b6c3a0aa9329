"""How soon shifts are found in synthetic histories of nights, and how often nothing is found to be something.

    python -m benchmarks.alarms [--histories 1000] [--seed 1]

All figures are simulated: seeded noise, not measured nights. Of the noise a part is the night's, which all
measurements of a night have in common, and a part the measurement's, which each has its own; the parts are
given as shares of the variance. As in `stbuild nightly`, a night that looks odd is measured again, and where
the charts suspect a shift, the old and the new commit are measured in turns, each time with the
measurement's noise. A shift is the new commit's; a drift is the machine's, and moves both commits.
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stbuild.nightly.charts import SUSPICION, Indices, first_alarms, is_odd
from stbuild.nightly.paired import LOOKS, is_shifted
from stbuild.nightly.plan import Measure
from stbuild.nightly.scores import FIRST, Floats, Scores, score, score_last

YEAR = 365
QUIET = 2 * YEAR
"""Nights of a history in which nothing shifts."""
NOISE = 0.05
"""Standard deviation of a night, as a share of the value."""
KNOWN = 600
"""Nights before a shift in the histories of the targets; shorter ones are printed beside them."""

Rng = np.random.Generator
Draw = Callable[[int], Floats]
"""So much noise, with a standard deviation that makes sense to speak of shifts of one."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise of which the share `own` of the variance is the measurement's, with a drift in sd a year."""

    name: str
    own: float
    draw: Draw
    drift: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Nights:
    """Histories as they were measured, and their scores; `again` is the share that was measured again."""

    values: Floats
    scores: Scores
    again: float


@dataclass(frozen=True, kw_only=True)
class Raised:
    """The first alarm of each history; `night` is the number of nights where there is none.

    commit: whether a comparison showed that it is the commit's.
    compared: comparisons of all histories; pairs: measurements of either commit in them.
    """

    night: Indices
    commit: NDArray[np.bool_]
    compared: int
    pairs: int


def noises(rng: Rng, own: float) -> Iterator[Noise]:
    """The noises of a quiet history."""
    normal = rng.standard_normal

    def modes(share: float) -> Draw:
        return lambda count: normal(count) + 10 * (rng.random(count) < share)

    yield Noise(name="normal", own=own, draw=normal)
    yield Noise(name="Student's t, 3 degrees", own=own, draw=lambda count: rng.standard_t(3, count))
    yield Noise(name="lognormal", own=own, draw=lambda count: np.exp(normal(count)))
    yield Noise(name="two modes, half and half", own=own, draw=modes(0.5))
    yield Noise(name="two modes, one in ten", own=own, draw=modes(0.1))
    yield Noise(name="two modes, one in fifty", own=own, draw=modes(0.02))
    for drift in (0.25, 0.5, 1, 3, 10):
        yield Noise(name=f"drift of {drift} sd a year", own=own, draw=normal, drift=drift)


def measured(noise: Noise, level: Floats) -> Nights:
    """Nights with noise around `level` (`[histories, nights]`, in standard deviations)."""
    nights = level.shape[1]
    drift = noise.drift * np.arange(nights) / YEAR
    shared = level + drift + math.sqrt(1 - noise.own) * noise.draw(level.size).reshape(level.shape)
    if not noise.own:
        values = 1 + NOISE * shared
        return Nights(values=values, scores=score(values), again=0.0)
    values, ranks, last = np.empty_like(level), np.zeros_like(level), np.zeros_like(level)
    repeated = 0
    for night in range(nights):
        values[:, night] = _once(noise, shared[:, night])
        tonight = score_last(values[:, : night + 1])
        odd = is_odd(np.column_stack([last[:, max(night - 2, 0) : night], tonight.values]))
        if odd.any():
            more = [_once(noise, shared[odd, night]) for _ in range(Measure().again)]
            values[odd, night] = np.median([values[odd, night], *more], axis=0)
            better = score_last(values[odd, : night + 1])
            tonight.ranks[odd], tonight.values[odd] = better.ranks, better.values
            repeated += int(odd.sum())
        ranks[:, night], last[:, night] = tonight.ranks, tonight.values
    return Nights(values=values, scores=Scores(ranks=ranks, values=last), again=repeated / level.size)


def _once(noise: Noise, shared: Floats) -> Floats:
    """One measurement of so many histories."""
    found: Floats = 1 + NOISE * (shared + math.sqrt(noise.own) * noise.draw(len(shared)))
    return found


def raised(noise: Noise, nights: Nights, level: Floats, *, has_old: bool) -> Raised:
    """The first alarms; `level` is the commits' own. Without the old commit the charts decide alone."""
    rows, end = level.shape
    alone = first_alarms(nights.values, scores=nights.scores)
    night, commit = alone.found.copy(), np.zeros(rows, np.bool_)
    after, left = np.zeros(rows, np.int64), np.arange(rows if has_old else 0)
    compared = pairs = 0
    while len(left):
        scores = Scores(ranks=nights.scores.ranks[left], values=nights.scores.values[left])
        found = first_alarms(nights.values[left], SUSPICION, after=after[left], scores=scores)
        again = []
        for at, row in enumerate(left):
            tonight = int(found.found[at])
            if tonight > alone.found[row] or tonight == end:
                continue
            shift = level[row, tonight] - level[row, found.before[at]]
            is_commit, count = compare(noise, shift, bool(found.upward[at]))
            compared, pairs = compared + 1, pairs + count
            if is_commit:
                night[row], commit[row] = tonight, True
            elif tonight < alone.found[row]:
                after[row] = tonight + 1
                again.append(row)
        left = np.array(again, np.int64)
    return Raised(night=night, commit=commit, compared=compared, pairs=pairs)


def compare(noise: Noise, shift: float, upward: bool) -> tuple[bool, int]:
    """Whether a comparison shows the commit's shift, and how many measurements of either commit it takes."""
    old: list[float] = []
    new: list[float] = []
    most = Measure().pairs
    for look in (*(each for each in LOOKS if each < most), most):
        more = math.sqrt(noise.own) * noise.draw(2 * (look - len(old)))
        old += list(more[::2])
        new += list(more[1::2] + shift)
        verdict = is_shifted(old, new, upward=upward, most=most)
        if verdict is not None:
            return verdict, look
    raise AssertionError("the last look decides")


def quiet(rng: Rng, rows: int, noise: Noise, *, has_old: bool) -> str:
    """How many histories of two years without a shift have an alarm, a year."""
    level = np.zeros((rows, QUIET))
    nights = measured(noise, level)
    found = raised(noise, nights, level, has_old=has_old)
    wrong, years = int((found.night < QUIET).sum()), rows * (QUIET - FIRST) / YEAR
    low, high = interval(wrong, rows)
    scale = rows / years
    cost = f"; {found.compared / years:.2f} comparisons of {found.pairs / max(found.compared, 1):.0f} pairs"
    blamed = f", {found.commit.sum() / years:.2%} blame the commit" if has_old else ""
    rate = f"{wrong / years:.2%} ({low * scale:.2%} to {high * scale:.2%}){blamed}"
    return f"{rate}{cost if has_old else ''}{verdict_of(wrong / years < 0.01)}"


def delays(rng: Rng, rows: int, noise: Noise, shift: float, known: int, after: int, has_old: bool) -> Floats:
    """Nights until the shift is found, the first shifted one as 1, in histories that were quiet before.

    Where the old commit is at hand, what is not shown to be the commit's counts as not found.
    """
    level = np.zeros((rows, known + after))
    level[:, known:] = shift * rng.choice([-1.0, 1.0], size=(rows, 1))
    found = raised(noise, measured(noise, level), level, has_old=has_old)
    good = (found.night < known + after) & (found.commit | (not has_old))
    return np.where(good, found.night - known + 1.0, np.inf)[found.night >= known]


def shifts(rng: Rng, rows: int, own: float, known: int, *, has_old: bool) -> Iterator[tuple[str, str]]:
    """How soon the two shifts of the targets are found."""
    noise = Noise(name="normal", own=own, draw=rng.standard_normal)
    judged = known == KNOWN
    after = f"after {known} nights"
    found = delays(rng, rows, noise, 3.0, known, 3, has_old)
    low, high = interval(int((found <= 3).sum()), len(found))
    share = float((found <= 3).mean())
    told = f"{share:.1%} ({low:.1%} to {high:.1%}) within 3 nights"
    yield f"shift of 3 sd {after}", told + (verdict_of(share >= 0.8) if judged else "")
    found = np.sort(delays(rng, rows // 2, noise, 0.03 / NOISE, known, 150, has_old))
    margin = math.sqrt(len(found))  # 95 % of a median's rank, which is binomial
    low, high = (float(found[int(len(found) / 2 + side * margin)]) for side in (-1, 1))
    median = float(np.median(found))
    told = f"median {median:.0f} nights ({low:.0f} to {high:.0f})"
    yield f"shift of 3 % in noise of 5 % {after}", told + (verdict_of(median <= 60) if judged else "")


def interval(hits: int, of: int) -> tuple[float, float]:
    """95 % of a share (Wilson, 1927)."""
    z = 1.96
    share = hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(middle - half, 0.0), middle + half


def verdict_of(holds: bool) -> str:
    """The last word of a line that has a target."""
    return "  holds" if holds else "  MISSED"


def main() -> None:
    """Print what is found, with 95 % intervals, and whether the target holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--histories", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--own", type=float, help="only where the measurement has this share of the variance")
    parser.add_argument("--alone", action="store_true", help="only where no old commit can be measured")
    arguments = parser.parse_args()
    rng, rows = np.random.default_rng(arguments.seed), arguments.histories
    cases = [(True, 0.0), (True, 0.5), (True, 0.9), (False, 0.0)]
    if arguments.own is not None or arguments.alone:
        cases = [(not arguments.alone, arguments.own or 0.0)]
    for has_old, own in cases:
        told = f"{own:.0%} of the variance is the measurement's" if has_old else "without the old commit"
        print(
            f"\n{told}\n  targets: 80 % within 3 nights; 60 nights; false alarms below 1 % a series and year"
        )
        for known in (120, YEAR, KNOWN) if not own else (KNOWN,):
            for what, found in shifts(rng, rows, own, known, has_old=has_old):
                print(f"  {what:48} {found}", flush=True)
        for noise in noises(rng, own):
            what = f"false alarms, {noise.name}"
            print(f"  {what:48} {quiet(rng, rows, noise, has_old=has_old)}", flush=True)


if __name__ == "__main__":
    main()
