"""What the lint keeps of one process: its loops, and what is used in which of them."""

from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum

from hls_lint.values import Place, Variable

Array = tuple[Variable, tuple[str, ...]]
Branch = tuple[tuple[int, int], ...]
"""The conditions around a use, and the arm of each."""


class LoopKind(Enum):
    """What becomes of a loop."""

    PLAIN = "runs one iteration after the other"
    PIPELINED = "begins an iteration every II cycles"
    UNROLLED = "exists once an iteration"


@dataclass(eq=False, kw_only=True)
class Loop:
    """A loop; `trip` is None for a bound of run time, `entered` says whether STB_ENTER is in front of it.

    `charged` are the cycles of an iteration that STB_TICK states; None where it states no constant.
    """

    number: int
    label: str
    at: str
    kind: LoopKind
    ii: int = 1
    trip: int | None = None
    flattens: bool = False
    entered: bool = False
    charged: int | None = None


@dataclass(frozen=True, kw_only=True)
class Use:
    """Something in a loop nest: its line, the loops around it from the outside, the branch."""

    at: str
    loops: tuple[Loop, ...]
    branch: Branch

    @property
    def pipeline(self) -> Loop | None:
        """The pipelined loop around it."""
        return next((loop for loop in self.loops if loop.kind is LoopKind.PIPELINED), None)

    @property
    def copies(self) -> tuple[Loop, ...]:
        """The unrolled loops around it, all of whose iterations exist at once."""
        return tuple(loop for loop in self.loops if loop.kind is LoopKind.UNROLLED)


@dataclass(frozen=True, kw_only=True)
class Access(Use):
    """A read or a write of an element."""

    place: Place
    write: bool


@dataclass(frozen=True, kw_only=True)
class Transfer(Use):
    """A read or a write of a stream."""

    port: str
    write: bool


@dataclass(frozen=True, kw_only=True)
class Division(Use):
    """A division or a remainder by something that is no power of two."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Chain(Use):
    """Values that wait for each other: `length` of them in one iteration."""

    name: str
    length: int


@dataclass(frozen=True, kw_only=True)
class Recurrence(Use):
    """A scalar whose next value takes more than a cycle from the one before."""

    name: str


@dataclass(kw_only=True)
class Process:
    """All of one process."""

    name: str
    pipelines: list[tuple[Loop, tuple[Loop, ...]]] = field(default_factory=list)
    unbounded: list[Loop] = field(default_factory=list)
    unmarked: list[Loop] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    divisions: list[Division] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    recurrences: list[Recurrence] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    partitions: dict[Array, set[int]] = field(default_factory=lambda: defaultdict(set))
    bound: set[Array] = field(default_factory=set)
    roms: set[Array] = field(default_factory=set)
    distances: dict[Array, int] = field(default_factory=dict)

    def by_array(self) -> dict[Array, list[Access]]:
        """The accesses to each array."""
        found: dict[Array, list[Access]] = defaultdict(list)
        for access in self.accesses:
            found[access.place.array].append(access)
        return found
