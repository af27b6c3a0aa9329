"""The folder in which an action runs: its inputs linked at `in/…`, room for its outputs at `out/…`."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from stbuild.engine.action import Action
from stbuild.engine.artifact import File, Origin, Tree
from stbuild.engine.key import Key
from stbuild.engine.store import remove
from stbuild.errors import StbuildError

BASE_ENV = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "315532800",
    "TZ": "UTC",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def stage(folder: str, action: Action, key: Key, real: Callable[[File], str]) -> None:
    """Make the action's folder anew."""
    remove(folder)
    os.makedirs(f"{folder}/tmp")
    made = {f"{folder}/tmp"}
    for file in _inputs(action, key):
        target = f"{folder}/{file.staged}"
        _parent(target, made)
        try:
            _place(file, target, real)
        except FileExistsError:
            raise StbuildError(
                f"{action.label} has two inputs named {file.path}", where=action.where
            ) from None
    for file in action.outputs:
        _parent(f"{folder}/{file.made}", made)
    _parent(f"{folder}/out/.", made)


def missing_outputs(folder: str, action: Action) -> list[str]:
    """The outputs that the action did not make, or made as the wrong kind of thing."""
    missing = []
    for file in action.outputs:
        path = f"{folder}/{file.made}"
        there = os.path.isdir(path) if isinstance(file, Tree) else os.path.isfile(path)
        if not there:
            missing.append(file.made)
    return missing


def _inputs(action: Action, key: Key) -> Iterable[File]:
    wanted = {file.path: file for file in (*action.inputs, *action.cxx.sources)}
    wanted.update((header.file.path, header.file) for header in key.headers)
    trees = [f"{path}/" for path, file in wanted.items() if isinstance(file, Tree)]
    if not trees:
        return wanted.values()
    return [file for path, file in wanted.items() if not any(path.startswith(tree) for tree in trees)]


def _place(file: File, target: str, real: Callable[[File], str]) -> None:
    if file.origin is Origin.TEXT:
        Path(target).write_text(file.content or "")
    else:
        os.symlink(real(file), target)


def _parent(path: str, made: set[str]) -> None:
    folder = os.path.dirname(path)
    if folder not in made:
        os.makedirs(folder, exist_ok=True)
        made.add(folder)
