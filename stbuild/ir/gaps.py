"""Zeros between the elements of a vector, by which it fills the words and groups of the card."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Gap:
    """`zeros` zeros in front of element `before` of a vector; that of its size stands for its end."""

    before: int
    zeros: int


Gaps = tuple[Gap, ...]


@dataclass(frozen=True, kw_only=True)
class PaddedValue:
    """A value of a block that has zeros between the `size` elements that the model gives it."""

    block: str
    value: str
    size: int
    gaps: tuple[Gap, ...]


def zeros_in(gaps: Iterable[Gap]) -> int:
    """All zeros of `gaps`."""
    return sum(gap.zeros for gap in gaps)


def elements(size: int, gaps: Iterable[Gap]) -> NDArray[np.int64]:
    """For each place of a padded vector the element of the `size` that stands there; -1 is a zero."""
    places: NDArray[np.int64] = np.arange(size)
    gaps = tuple(gaps)
    before = [gap.before for gap in gaps for _ in range(gap.zeros)]
    return np.insert(places, before, -1)


def spread(values: NDArray[np.float32], gaps: tuple[Gap, ...], axis: int = 0) -> NDArray[np.float32]:
    """`values` with the zeros of `gaps` along a dimension."""
    before = [gap.before for gap in gaps for _ in range(gap.zeros)]
    return np.insert(values, before, 0, axis=axis) if before else values
