"""What HLS says of a kernel, whichever of its reports that was read from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Area:
    """Estimated resources of a module; BRAM in blocks of 18 Kbit, as HLS counts. None: not reported."""

    bram18: int | None = None
    dsp: int | None = None
    ff: int | None = None
    lut: int | None = None
    uram: int | None = None


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A loop of a module; `path` holds the names of the loops around it. Latencies in cycles.

    `target_ii` is None where the report does not tell the target (csynth.xml never does). `issue` is what
    the report's column of issues says, such as `II`.
    """

    name: str
    path: tuple[str, ...] = ()
    trip_count: int | None = None
    latency: int | None = None
    iteration_latency: int | None = None
    ii: int | None = None
    target_ii: int | None = None
    depth: int | None = None
    pipelined: bool = False
    issue: str = ""


@dataclass(frozen=True, kw_only=True)
class Module:
    """A function that became a module of RTL."""

    name: str
    best_latency: int | None = None
    worst_latency: int | None = None
    interval: int | None = None
    estimated_ns: float | None = None
    area: Area = Area()
    loops: tuple[Loop, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """One run of HLS: what it was asked for, and its modules, the top one first."""

    top: str
    part: str
    version: str
    target_ns: float | None
    uncertainty_ns: float | None
    estimated_ns: float | None
    available: Area
    modules: tuple[Module, ...]

    @property
    def loops(self) -> tuple[tuple[Module, Loop], ...]:
        """Every loop with its module."""
        return tuple((module, loop) for module in self.modules for loop in module.loops)
