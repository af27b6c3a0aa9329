"""Folders in which one action runs after the other: emptied after each, removed where one spoilt them."""

import os
from contextlib import suppress

from stbuild.engine.store.files import remove

_PARTS = ("in", "out", "tmp")

Marks = list[tuple[object, ...]]


class Slots:
    """Gives out folders with an empty `in`, `out` and `tmp`.

    To make and remove the four can take longer than an action's process, so they are used again, each time
    under a new name: what writes to the folder of an action that has ended, by its path, finds none.
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._marks: dict[str, Marks] = {}
        """What each folder and its parts were like when they were new."""
        self._free: list[str] = []
        self._serial = 0

    def take(self) -> str:
        """A folder that nobody else uses; what is beside it, named `<folder>.log`, belongs to it."""
        self._serial += 1
        folder = f"{self._work}/{os.getpid()}-{self._serial}"
        remove(folder)
        if self._free and self._renamed(self._free.pop(), folder):
            return folder
        for part in _PARTS:
            os.makedirs(f"{folder}/{part}")
        self._marks[folder] = _marks(folder)
        return folder

    def give_back(self, folder: str) -> None:
        """Empty a folder for the next action; it is removed where it is not what it was."""
        if self._emptied(folder):
            self._free.append(folder)
        else:
            self.remove(folder)

    def remove(self, folder: str) -> None:
        """Remove a folder, which may hold anything."""
        del self._marks[folder]
        remove(folder)
        remove(f"{folder}.log")

    def close(self) -> None:
        """Remove all folders."""
        self._free.clear()
        for folder in list(self._marks):
            with suppress(OSError):  # A process of an action whose keeper was killed may still write there.
                self.remove(folder)

    def _renamed(self, old: str, folder: str) -> bool:
        """Give a folder another name; False when somebody has removed it."""
        marks = self._marks.pop(old)
        try:
            os.rename(old, folder)
        except FileNotFoundError:
            return False
        with suppress(FileNotFoundError):
            os.rename(f"{old}.log", f"{folder}.log")
        self._marks[folder] = marks
        return True

    def _emptied(self, folder: str) -> bool:
        try:
            if _marks(folder) != self._marks[folder]:
                return False
            for name in os.listdir(folder):
                if name not in _PARTS:
                    remove(f"{folder}/{name}")
            for part in (f"{folder}/{part}" for part in _PARTS):
                for name in os.listdir(part):
                    remove(f"{part}/{name}")
        except OSError:
            return False
        return True


def _marks(folder: str) -> Marks:
    """What an action could change of its folders themselves: kind and mode, owner, lists of access rights."""
    return [_mark(folder), *(_mark(f"{folder}/{part}") for part in _PARTS)]


def _mark(path: str) -> tuple[object, ...]:
    status = os.lstat(path)
    try:
        attributes = os.listxattr(path, follow_symlinks=False)
    except OSError:  # A file system without.
        attributes = []
    return status.st_mode, status.st_uid, status.st_gid, *attributes
