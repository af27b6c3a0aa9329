"""What a simulation of a launch, or of several in a row, found: cycles, bounds, who worked and who waited."""

from dataclasses import dataclass

LABEL = "simulated"
"""What stands beside every figure of the timed network."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Cycles that a process worked, waited for data and waited for space; the rest came after its end.

    Processes of one `group` do the same work: the lanes of an engine, the readers of its channels. `twin` is
    the module of rtl_lib/twins that confirms such cycles, empty where they are modelled.
    """

    name: str
    group: str
    busy: int
    data_wait: int
    space_wait: int
    twin: str = ""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Mean cycles of the engine's lanes: waits for weights, for vectors and for room for results."""

    weights_wait: int
    vectors_wait: int
    results_wait: int
    busy: int


@dataclass(frozen=True, kw_only=True)
class Step:
    """`tokens` taken in from `position` on: one decode step, or the launches of a prefill.

    The bounds are cycles that nothing on this card could beat: the memory's bandwidth alone, and the
    engine's multipliers alone.
    """

    name: str
    tokens: int
    position: int
    cycles: tuple[int, ...]
    memory_bytes: int
    memory_bound: int
    engine_bound: int
    engine: Engine
    processes: tuple[Times, ...]

    @property
    def total(self) -> int:
        """Cycles of all launches."""
        return sum(self.cycles)

    @property
    def modelled_share(self) -> float:
        """Of the cycles that the busiest process of each group works, those of groups without a twin."""
        busiest: dict[str, Times] = {}
        for times in sorted(self.processes, key=lambda t: (t.busy, t.name)):
            busiest[times.group] = times
        work = sum(times.busy for times in busiest.values())
        return sum(times.busy for times in busiest.values() if not times.twin) / max(work, 1)

    @property
    def bound(self) -> int:
        """The greater one of the two bounds."""
        return max(self.memory_bound, self.engine_bound)


@dataclass(frozen=True, kw_only=True)
class CycleEstimate:
    """cycles.json: steps of a design on a platform at `clock_mhz`; `label` belongs to every figure."""

    model: str
    platform: str
    clock_mhz: int
    bandwidth: str
    steps: tuple[Step, ...]
    label: str = LABEL

    def seconds(self, step: Step) -> float:
        """How long `step` takes at the clock."""
        return step.total / (self.clock_mhz * 1e6)

    def tokens_per_second(self, step: Step) -> float:
        """Tokens that are taken in a second."""
        return step.tokens / self.seconds(step)

    def step(self, name: str) -> Step:
        """The step called `name`."""
        return next(s for s in self.steps if s.name == name)
