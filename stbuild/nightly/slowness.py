"""Whether a device is far slower than on its last good nights."""

import statistics
from collections.abc import Sequence

from stbuild.nightly.bench import Bench
from stbuild.nightly.suspicion import Suspect, levels
from stbuild.nightly.values import Cell, Figure, Point

ENOUGH_NIGHTS = 3
"""From so many good nights on, their median tells whether a device is slow."""
RECENT_NIGHTS = 10


def slowness(bench: Bench, cell: Cell, figures: Sequence[Figure]) -> str:
    """Why the device is slow; '' where it is not."""
    for figure in figures:
        recent = _recent(bench, cell, figure)
        if recent:
            usual = statistics.median(point.value for point in recent)
            return (
                f"the device is slow: {figure.name} is {figure.value:.4g} tok/s, "
                f"the median of its last {len(recent)} good nights is {usual:.4g}"
            )
    return ""


def slow_suspects(bench: Bench, cell: Cell, figures: Sequence[Figure]) -> tuple[Suspect, ...]:
    """The figures that are slow, for a comparison with the commit of the last good night."""
    return tuple(
        Suspect(
            figure=figure.name,
            level=recent,
            before=recent[-1],
            since=bench.night.id,
            upward=False,
            large=True,
        )
        for figure in figures
        if (recent := _recent(bench, cell, figure))
    )


def _recent(bench: Bench, cell: Cell, figure: Figure) -> list[Point]:
    """The last good nights of a speed, where it is far below them; none before a commit that changed it."""
    if figure.kind != "tokens_per_s":
        return []
    recent = bench.history.recent(cell, bench.host, figure.name, RECENT_NIGHTS)
    if not _is_far_below(bench, figure, recent):
        return []
    for _, found, _ in levels(bench.history, cell, bench.host, lambda name: name == figure.name):
        start = max((each.since.night for each in found if each.is_commit), default=0)
        recent = [point for point in recent if point.night >= start]
    return recent if _is_far_below(bench, figure, recent) else []


def _is_far_below(bench: Bench, figure: Figure, recent: Sequence[Point]) -> bool:
    if len(recent) < ENOUGH_NIGHTS:
        return False
    return figure.value * bench.plan.measure.slow_factor < statistics.median(point.value for point in recent)
