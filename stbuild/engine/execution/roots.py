"""The folders of the machine that every action may read, none of which holds workspace, cache or HOME."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence

from stbuild.engine.graph.action import Policy
from stbuild.engine.keys.search import SYSTEM, SearchPath, inside

_INSTALLED = ("lib", "lib64", "libexec", "share", "include", "data")
"""What lies beside `bin` where a program was installed; without any of them `bin` is a folder of scripts."""
DEVICES = "/dev"


class Roots:
    """What lies outside of an action's folder and is no input, yet may be read."""

    def __init__(self, search: SearchPath) -> None:
        self._search = search
        self._kept = (*search.private, *search.personal)
        self.system = tuple(dict.fromkeys(self._system()))
        self.devices = tuple(without(DEVICES, search.private))

    def of_program(self, path: str) -> str:
        """What must be readable for a declared program: its installation, or the file where it is private."""
        real = os.path.realpath(path)
        return real if self._search.is_private(real) else self._around(os.path.dirname(real)) or real

    def of_tools(self, paths: Iterable[str], policy: Policy) -> Iterator[str]:
        """What must be readable for an action that declares the programs at `paths`."""
        yield from map(self.of_program, paths)
        for folder in policy.reads:
            yield from without(folder, self._kept)

    def _system(self) -> Iterator[str]:
        for folder in SYSTEM:
            yield from without(folder, self._kept)
        yield from self._python()
        for folder in self._search.granted:
            root = self._around(folder)
            if root and not any(inside(os.path.realpath(root), each) for each in SYSTEM):
                yield root

    def _around(self, folder: str) -> str:
        """The installation that a folder of programs belongs to, or that folder alone; '' for neither."""
        if self._search.environment and inside(os.path.realpath(folder), self._search.environment):
            return folder
        above = os.path.dirname(folder)
        named = os.path.basename(folder) in ("bin", "sbin") and above != "/"
        if named and not self._holds(above) and self._is_installation(above):
            return above
        return "" if self._holds(folder) else folder

    def _is_installation(self, folder: str) -> bool:
        home = self._search.personal[:1]
        at_home = any(inside(os.path.realpath(folder), each) for each in home)
        return not at_home or any(os.path.isdir(f"{folder}/{name}") for name in _INSTALLED)

    def _holds(self, folder: str) -> bool:
        """Whether a folder is or contains workspace, cache or HOME, or is a part of workspace or cache."""
        real = os.path.realpath(folder)
        return self._search.is_private(real) or any(inside(each, real) for each in self._kept)

    def _python(self) -> Iterator[str]:
        """The interpreter that stages run in: its installation, or what belongs to it of a larger folder."""
        for prefix in sorted({self._search.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)}):
            apart = not self._holds(prefix) and os.path.realpath(prefix) != self._search.environment
            yield from [prefix] if apart else self._parts_of_python(prefix)
        for folder in sys.path:
            if folder.endswith("site-packages") and not self._holds(folder):
                yield folder

    def _parts_of_python(self, prefix: str) -> Iterator[str]:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        own = [f"{folder}/{version}" for folder in ("bin", "lib", "lib64", "include")]
        if os.path.realpath(prefix) == self._search.environment:
            own += ["bin", "lib", "lib64", "include", "share"]
        for path in (f"{prefix}/{name}" for name in (*own, "bin/python", "bin/python3", "pyvenv.cfg")):
            if os.path.exists(path) and not any(inside(each, os.path.realpath(path)) for each in self._kept):
                yield path


def without(folder: str, kept: Sequence[str]) -> list[str]:
    """`folder`, or where it is or contains one of `kept` all else in it; links in it are left out then."""
    real = os.path.realpath(folder)
    if not os.path.exists(real) or real in kept:
        return []
    if not any(inside(each, real) for each in kept):
        return [folder]
    return [path for child in _children(real) for path in without(child, kept)]


def _children(folder: str) -> Iterable[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if not entry.is_symlink())
    except OSError:
        return []
