"""What the history holds, as values: nights, places of the matrix, figures and their series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from stbuild.nightly.outcome import Fault, Outcome


class Better(Enum):
    """In which direction a figure is better."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One place of the matrix: what is built, and on which device it runs."""

    project: str
    platform: str
    target: str
    device: str

    def __str__(self) -> str:
        return f"{self.project} {self.platform} {self.target} {self.device}"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a cell; behind `@` stands the prompt's length in tokens, or a place of the card.

    An `exact` figure is the same for the same inputs: simulated cycles, area, bytes, accuracy of integers.
    """

    name: str
    value: float
    unit: str
    better: Better = Better.LOWER
    exact: bool = False

    @property
    def kind(self) -> str:
        """The name without what stands behind `@`."""
        return self.name.partition("@")[0]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A figure that may have shifted, of an old and of the new commit that were measured in turns.

    night: the night in which they were.
    before: an earlier night; its commit is the old one.
    since: the first night that is thought to be changed.
    large: whether the chart of large shifts suspected it.
    times: measurements of each; `old` and `new` are their medians.
    is_commit: whether the new commit is of another level; else what changed is the machine, or nothing.
    """

    figure: str
    night: int
    before: int
    since: int
    large: bool
    times: int
    old: float
    new: float
    is_commit: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one cell in one night; `log` is relative to the folder of the results."""

    cell: Cell
    outcome: Outcome
    began_s: float
    seconds: float
    fault: Fault | None = None
    message: str = ""
    tries: int = 0
    described: str = ""
    log: str = ""
    figures: tuple[Figure, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Night:
    """One night; `outcome` and `ended_s` are None while it goes on or where it was killed."""

    id: int
    began_s: float
    ended_s: float | None
    host: str
    commit: str
    dirty: bool
    committed_s: float | None
    plan: str
    stbuild: str
    outcome: Outcome | None


@dataclass(frozen=True, kw_only=True)
class Series:
    """One figure of one cell on one host, over all nights."""

    id: int
    cell: Cell
    host: str
    figure: str
    unit: str
    exact: bool
    better: Better


@dataclass(frozen=True, kw_only=True)
class Point:
    """The value of a series in one night."""

    night: int
    time_s: float
    commit: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Past:
    """A series with its values and comparisons, the newest last."""

    series: Series
    points: Sequence[Point]
    comparisons: Sequence[Comparison] = ()
