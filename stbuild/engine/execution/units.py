"""Licences and boards, counted over all builds of one machine that share a cache.

A resource is a file, each of its units a lock on one byte of it, so the kernel takes back what a killed build
held, and an action can be told which board is its own.
"""

import os
import platform
import re
from pathlib import Path

from stbuild.engine.store.lease import lock_byte, unlock_byte


class Units:
    """The units that the actions of one build hold."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "units" / platform.node()
        self._handles: dict[str, int] = {}
        self._held: dict[str, set[int]] = {}

    def take(
        self, wanted: tuple[tuple[str, int], ...], declared: dict[str, int]
    ) -> dict[str, list[int]] | str:
        """The numbers of the units of each resource; the name of the first of which too few are free."""
        taken: dict[str, list[int]] = {}
        for name, count in wanted:
            taken[name] = self._some(name, count, declared[name])
            if len(taken[name]) < count:
                self.release(taken)
                return name
        return taken

    def release(self, taken: dict[str, list[int]]) -> None:
        """Give units back."""
        for name, numbers in taken.items():
            for number in numbers:
                self._held[name].discard(number)
                unlock_byte(self._handles[name], number)

    def close(self) -> None:
        """Give all units back."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles.clear()
        self._held.clear()

    def _some(self, name: str, count: int, declared: int) -> list[int]:
        handle = self._open(name)
        held = self._held[name]
        found: list[int] = []
        for number in range(declared):
            if len(found) < count and number not in held and lock_byte(handle, number):
                held.add(number)
                found.append(number)
        return found

    def _open(self, name: str) -> int:
        if name not in self._handles:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / re.sub(r"\W", "_", name)
            self._handles[name] = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._held[name] = set()
        return self._handles[name]


def variables(taken: dict[str, list[int]]) -> dict[str, str]:
    """What an action is told of its units: `STBUILD_U55C=0,2` for two boards `u55c`."""
    return {
        f"STBUILD_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}": ",".join(map(str, numbers))
        for name, numbers in taken.items()
    }
