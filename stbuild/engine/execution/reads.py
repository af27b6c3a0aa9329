"""What an action reads: where it lies, and whether it is still what the action's key was made of."""

import os
from collections.abc import Callable, Iterator, Mapping

from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.keys.key import Key
from stbuild.engine.store.files import walk
from stbuild.engine.store.state import signature_of

ON_DISK = (Origin.SOURCE, Origin.LIBRARY, Origin.EXTERNAL)
"""Files that no action makes."""


_NOT_READ = {"__pycache__", ".git", ".hg", ".svn"}
"""Folders that change by themselves, of which no action should read anything."""


def paths_on_disk(action: Action, key: Key, real: Callable[[File], str]) -> Iterator[str]:
    """Every file that no action makes and that this one reads, those of a directory each by itself."""
    for file in (*action.inputs, *action.cxx.sources):
        if file.origin not in ON_DISK:
            continue
        if isinstance(file, Tree):
            yield from (path for _, path in files_below(real(file)))
        else:
            yield real(file)
    yield from (header.real for header in key.headers if header.file.origin in ON_DISK)


def files_below(folder: str) -> Iterator[tuple[str, str]]:
    """The files of a directory that is an input, each with the folder that it lies in."""
    for place, folders, files in walk(folder):
        folders[:] = sorted(set(folders) - _NOT_READ)
        yield from ((place, f"{place}/{name}") for name in files)


def changed(seen: Mapping[str, str]) -> list[str]:
    """The files that do not have the signature any more that they had when the key was made."""
    return [path for path, sig in seen.items() if not _same(path, sig)]


def _same(path: str, sig: str) -> bool:
    try:
        return signature_of(os.stat(path)) == sig
    except OSError:
        return False
