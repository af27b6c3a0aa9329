"""What the machine has to give: processors, memory, licences and boards, taken by running actions."""

import os

from stbuild.engine.action import Resources
from stbuild.errors import StbuildError


class Pool:
    """Gives out resources. Who does not fit is told so and blocks nobody else."""

    def __init__(
        self, *, cpus: int, memory_mb: int | None = None, named: dict[str, int] | None = None
    ) -> None:
        self._cpus = float(cpus)
        self._memory_mb = memory_mb or machine_memory_mb()
        self._named = dict(named or {})
        self._total = (self._cpus, self._memory_mb)
        self._taken: dict[str, Resources] = {}

    def take(self, name: str, wanted: Resources) -> bool:
        """Take what an action wants; more than the machine has counts as all of it, for it runs alone."""
        cpu, memory = self._capped(wanted)
        if cpu > self._cpus or memory > self._memory_mb:
            return False
        for resource, count in wanted.named:
            if resource not in self._named and resource not in os.environ.get("STBUILD_RESOURCES", ""):
                raise StbuildError(
                    f"{name} needs {count} of {resource!r}, which this machine does not declare",
                    hint=f"add `resources = {{ {resource} = {count} }}` to [tool.stbuild]",
                )
            if self._named[resource] < count:
                return False
        self._cpus -= cpu
        self._memory_mb -= memory
        for resource, count in wanted.named:
            self._named[resource] -= count
        self._taken[name] = wanted
        return True

    def release(self, name: str) -> None:
        """Give back what an action took."""
        wanted = self._taken.pop(name)
        cpu, memory = self._capped(wanted)
        self._cpus += cpu
        self._memory_mb += memory
        for resource, count in wanted.named:
            self._named[resource] += count

    def _capped(self, wanted: Resources) -> tuple[float, int]:
        return min(wanted.cpu, self._total[0]), min(wanted.memory_mb, self._total[1])


def machine_memory_mb() -> int:
    """The memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
