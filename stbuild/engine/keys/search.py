"""PATH as actions see it: its folders without those that hold the user's own, undeclared files."""

import os
import re
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/proc",
    "/sys",
    "/run",
    "/nix",
)
"""What belongs to the machine, which every action may read."""
_OCTAL = re.compile(r"\\([0-7]{3})")
"""How /proc writes blanks and backslashes in a path."""


def inside(path: str, folder: str) -> bool:
    """Whether a path, free of links, is a folder or lies in it, at whichever mount point either is named."""
    return _below(path, folder) or _below(_on_disk(path), _on_disk(folder))


def _below(path: str, folder: str) -> bool:
    return path == folder or folder == "/" or path.startswith(f"{folder}/")


@lru_cache(maxsize=1 << 12)
def _on_disk(path: str) -> str:
    """The file system of a path and the path in it, which is one for all places where that is mounted."""
    mounts = _mounts()
    place = path
    while place not in mounts and place != "/":
        place = os.path.dirname(place)
    return f"{mounts.get(place, '')}/{path[len(place) :].strip('/')}".rstrip("/")


@lru_cache(maxsize=1)
def _mounts() -> Mapping[str, str]:
    """From each mount point to the file system and the folder of it that is mounted there last."""
    found = {}
    with suppress(OSError), open("/proc/self/mountinfo", errors="surrogateescape") as stream:
        for line in stream:
            device, root, place = (_OCTAL.sub(_letter, word) for word in line.split(" ")[2:5])
            found[place] = f"{device}:{root}".rstrip("/")
    return found


def _letter(code: re.Match[str]) -> str:
    return chr(int(code[1], 8))


@dataclass(frozen=True, kw_only=True)
class SearchPath:
    """PATH next to the folders whose files an action must declare: the workspace, the caches, HOME.

    A folder of PATH in the workspace or in a cache is withheld from actions, but for the environment of
    Python that stbuild itself runs in. So is one that is HOME or contains it or them, and a relative one,
    which would mean a folder of the action. A declared program that lies in the workspace is an exception
    for the actions that declare it; it is an input like any other, so its content counts.
    """

    text: str
    private: tuple[str, ...]
    """Workspace and caches, free of links."""
    personal: tuple[str, ...]
    """HOME and the folders of data, settings and caches in it, free of links."""
    prefix: str = sys.prefix

    @cached_property
    def granted(self) -> tuple[str, ...]:
        """The folders that every action searches, in order."""
        return tuple(folder for folder in self._folders if not self._problem(folder))

    @cached_property
    def withheld(self) -> tuple[tuple[str, str], ...]:
        """The other folders, each with the reason as the end of a sentence."""
        return tuple((each, problem) for each in self._folders if (problem := self._problem(each)))

    def find(self, name: str) -> str | None:
        """Where a program lies that an action declares; it may lie in the workspace."""
        return shutil.which(name, path=os.pathsep.join(filter(os.path.isabs, self._folders)))

    def locate(self, name: str) -> str | None:
        """Where a program lies that an action may run without declaring it."""
        if name not in self._located:
            self._located[name] = shutil.which(name, path=self.for_programs(()))
        return self._located[name]

    def for_programs(self, paths: Collection[str]) -> str:
        """PATH for an action that declares the programs at `paths`."""
        own = frozenset(map(os.path.dirname, paths)).difference(self.granted)
        if own not in self._joined:
            elsewhere = sorted(own.difference(self._folders))
            kept = (*elsewhere, *(each for each in self._folders if each in own or each in self.granted))
            self._joined[own] = os.pathsep.join(kept)
        return self._joined[own]

    def libraries(self, text: str) -> str:
        """LD_LIBRARY_PATH without what is withheld of PATH."""
        return os.pathsep.join(each for each in text.split(os.pathsep) if not self._problem(each))

    def is_private(self, path: str) -> bool:
        """Whether a file belongs to the workspace or to a cache, wherever links may lead there from."""
        real = os.path.realpath(path)
        holders = [each for each in self.private if inside(real, each) and not self._is_system(real, each)]
        return bool(holders) and not any(self._is_environment(real, each) for each in holders)

    @cached_property
    def environment(self) -> str:
        """The environment of Python that stbuild runs in, where it is a part of the workspace; else ''."""
        prefix = os.path.realpath(self.prefix)
        return prefix if any(self._is_environment(prefix, each) for each in self.private) else ""

    @cached_property
    def _located(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _joined(self) -> dict[frozenset[str], str]:
        return {}

    @cached_property
    def _folders(self) -> Sequence[str]:
        return tuple(dict.fromkeys(self.text.split(os.pathsep)))

    def _problem(self, folder: str) -> str:
        if not os.path.isabs(folder):
            return "is a relative folder"
        if self.is_private(folder):
            return "lies in the workspace or in the cache"
        real = os.path.realpath(folder)
        if any(map(real.__eq__, map(os.path.realpath, SYSTEM))):
            return ""
        if any(inside(each, real) for each in (*self.private, *self.personal)):
            return "is your home folder, or contains it, the workspace or the cache"
        return ""

    def _is_system(self, real: str, private: str) -> bool:
        """Whether `real` belongs to the machine, though the workspace is a folder above, such as `/`."""
        return any(inside(real, each) and inside(each, private) for each in map(os.path.realpath, SYSTEM))

    def _is_environment(self, real: str, private: str) -> bool:
        """Whether `real` belongs to a virtual environment in the workspace that is not the workspace."""
        prefix = os.path.realpath(self.prefix)
        return inside(real, prefix) and prefix != private and inside(prefix, private)


def search_path(workspace: Path, caches: Iterable[Path]) -> SearchPath:
    """PATH of this process for a workspace and its caches."""
    home = str(Path.home())
    data = {"DATA": ".local/share", "STATE": ".local/state", "CONFIG": ".config", "CACHE": ".cache"}
    folders = [home] + [
        os.environ.get(f"XDG_{name}_HOME") or f"{home}/{usual}" for name, usual in data.items()
    ]
    system = {os.path.realpath(each) for each in ("/", *SYSTEM)}
    personal = dict.fromkeys(os.path.realpath(each) for each in folders if os.path.isabs(each))
    private = dict.fromkeys(os.path.realpath(each) for each in (workspace, *caches))
    return SearchPath(
        text=os.environ.get("PATH", os.defpath),
        private=tuple(private),
        personal=tuple(each for each in personal if each not in system),
    )
