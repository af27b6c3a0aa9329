"""What is done each night, as nightly.yaml says it: the matrix, the measurement and the limits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from stbuild.nightly.values import Cell, Figure


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Every combination of these is a place of the matrix."""

    project: tuple[str, ...]
    platform: tuple[str, ...]
    target: tuple[str, ...] = ("sw_emu",)
    device: tuple[str, ...] = ("native",)

    def cells(self) -> Iterator[Cell]:
        """The combinations, projects first."""
        for project, platform, target, device in product(
            self.project, self.platform, self.target, self.device
        ):
            yield Cell(project=project, platform=platform, target=target, device=device)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How a device is measured.

    Each prompt of `prompt_tokens` tokens is taken in `repeats` times, and `new_tokens` follow. A launch that
    takes longer than `launch_limit_s` hangs. A card hotter than `max_temperature_c` is left alone. A device
    whose speed is below 1/`slow_factor` of the median of its last good nights is slow. Where a value looks as
    if it had shifted, the cell is measured `again` times more in the same night, and the medians count.
    Where the charts suspect a shift, an earlier commit and tonight's are measured in turns, at most `pairs`
    times.
    """

    prompt_tokens: tuple[int, ...] = (16, 64, 256)
    new_tokens: int = 16
    repeats: int = 5
    launch_limit_s: float = 600.0
    max_temperature_c: float = 95.0
    slow_factor: float = 2.0
    again: int = 4
    pairs: int = 60
    tries: int = 2
    wait_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The least and the most that a figure may be."""

    min: float | None = None
    max: float | None = None

    def problem(self, figure: Figure) -> str:
        """How the figure passes the limit; '' where it does not."""
        for bound, passed, word in (
            (self.min, self.min is not None and figure.value < self.min, "at least"),
            (self.max, self.max is not None and figure.value > self.max, "at most"),
        ):
            if passed:
                return f"{figure.name} is {figure.value:.6g} {figure.unit}, {word} {bound:g} is asked"
        return ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """nightly.yaml; `results` is a folder below the workspace, `digest` names the file's content."""

    matrix: tuple[Cell, ...]
    measure: Measure = field(default_factory=Measure)
    limits: Mapping[str, Limit] = field(default_factory=dict)
    results: str = "nightly-results"
    digest: str = ""

    def limit(self, figure: Figure) -> Limit | None:
        """The limit of a figure: its own, else that of its kind."""
        return self.limits.get(figure.name) or self.limits.get(figure.kind)
