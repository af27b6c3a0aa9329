"""What the machine has to give: processors, memory, licences and boards, taken by running actions."""

import os
from enum import Enum

from stbuild.engine.execution.units import Units
from stbuild.engine.graph.action import Resources
from stbuild.errors import StbuildError


class Start(Enum):
    """What became of the wish to start an action."""

    BEGUN = "begun"
    NO_ROOM = "no room"
    """Nothing that wants the same resources can start now."""
    HELD = "held"
    """Another build makes the same result."""


class Pool:
    """Gives out resources. Who does not fit is told what is lacking, and blocks nobody else."""

    def __init__(
        self, *, cpus: int, units: Units, memory_mb: int | None = None, named: dict[str, int] | None = None
    ) -> None:
        self._cpus = float(cpus)
        self._memory_mb = memory_mb or machine_memory_mb()
        self._named = dict(named or {})
        self._whole = (self._cpus, self._memory_mb, dict(self._named))
        self._units = units
        self._taken: dict[str, tuple[Resources, dict[str, list[int]]]] = {}

    def lacks(self, name: str, wanted: Resources) -> str:
        """What is not there now: 'cpu', 'memory', the name of a licence or board, or ''.

        An action that wants more processors or memory than the machine has gets all of them, alone.
        """
        for resource, count in wanted.named:
            if self._whole[2].get(resource, 0) < count:
                raise StbuildError(
                    f"{name} needs {count} of {resource!r}, which this machine does not declare",
                    hint=f"add `resources = {{ {resource} = {count} }}` to [tool.stbuild]",
                )
            if self._named[resource] < count:
                return resource
        cpu, memory = self._capped(wanted)
        if cpu > self._cpus:
            return "cpu"
        return "memory" if memory > self._memory_mb else ""

    def take(self, name: str, wanted: Resources) -> dict[str, list[int]] | str:
        """Take what an action wants, and say which units; the name of a resource that another build has."""
        units = self._units.take(wanted.named, self._whole[2])
        if isinstance(units, str):
            return units
        self._change(wanted, -1)
        self._taken[name] = wanted, units
        return units

    def release(self, name: str) -> None:
        """Give back what an action took."""
        wanted, units = self._taken.pop(name)
        self._change(wanted, 1)
        self._units.release(units)

    def close(self) -> None:
        """Give back what a build that ends early still has."""
        self._units.close()

    def _change(self, wanted: Resources, sign: int) -> None:
        cpu, memory = self._capped(wanted)
        self._cpus += sign * cpu
        self._memory_mb += sign * memory
        for resource, count in wanted.named:
            self._named[resource] += sign * count

    def _capped(self, wanted: Resources) -> tuple[float, int]:
        return min(wanted.cpu, self._whole[0]), min(wanted.memory_mb, self._whole[1])


def machine_memory_mb() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
