"""What several measurements of a cell in one night come to."""

from collections.abc import Sequence
from statistics import median

from stbuild.nightly.values import Better, Figure

TOTAL = "measured_s"
"""The figure that adds up."""


def combined(measurements: Sequence[Sequence[Figure]]) -> tuple[Figure, ...]:
    """The median of each figure over all measurements, and how many they were."""
    values: dict[str, list[float]] = {}
    for figure in (each for figures in measurements for each in figures):
        values.setdefault(figure.name, []).append(figure.value)
    figures = [
        Figure(
            name=each.name,
            value=sum(values[each.name]) if each.name == TOTAL else median(values[each.name]),
            unit=each.unit,
            better=each.better,
            exact=each.exact,
        )
        for each in measurements[0]
    ]
    count = Figure(name="measurements", value=len(measurements), unit="times", better=Better.NEITHER)
    return (*figures, count)
