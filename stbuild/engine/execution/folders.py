"""The folder in which an action runs: its inputs linked at `in/…`, room for its outputs at `out/…`."""

import os
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from msgspec import Struct

from stbuild.engine.execution.links import Links
from stbuild.engine.execution.slots import Slots
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.keys.key import Key
from stbuild.engine.store.files import remove
from stbuild.errors import StbuildError

Real = Callable[[File], str]

_UNTOUCHED_NS = 1_000_000_000 + int.from_bytes(os.urandom(4), "little") % 1_000_000_000
"""The time that a folder carries while nothing has come or gone in it: seen quicker than by a listing.

Drawn anew for each build, so that no program which sets times to something round gives it by chance.
"""


class ActionDir(Struct, frozen=True, kw_only=True):
    """Where one action runs, and the file that takes what it prints."""

    folder: str
    log: str


class Folders(Protocol):
    """Makes folders ready and takes them back."""

    def open(self, action: Action, key: Key) -> ActionDir:
        """A folder with the inputs of `action`."""

    def replaced(self, action_dir: ActionDir, action: Action, key: Key) -> str | None:
        """The first input in a folder which another action could have replaced, and something has."""

    def close(self, action_dir: ActionDir, *, reusable: bool) -> None:
        """Give back a folder whose outputs were taken out; `reusable` when nothing of its action is left."""

    def end(self) -> None:
        """Remove what further actions could have used: nothing runs any more, and nothing will."""


class PrivateFolders:
    """A folder for each action alone, with nothing in it but its own inputs."""

    def __init__(self, work: str, real: Real, *, keep: bool = False) -> None:
        self._real = real
        self._keep = keep
        self._slots = Slots(work)
        self._links = Links(f"{work}/links")

    def open(self, action: Action, key: Key) -> ActionDir:
        """A folder with the inputs of `action`."""
        folder = self._slots.take()
        made = {f"{folder}/in", f"{folder}/out"}
        for file in inputs_of(action, key):
            target = f"{folder}/{file.staged}"
            _parent(target, made)
            try:
                _place(file, target, self._real, self._links.put)
            except FileExistsError:
                message = f"{action.label} has two inputs at the path {file.path}"
                hint = "name the folder or files in it, not both"
                raise StbuildError(message, where=action.where, hint=hint) from None
        for file in action.outputs:
            _parent(f"{folder}/{file.made}", made)
        return ActionDir(folder=folder, log=f"{folder}.log")

    def replaced(self, action_dir: ActionDir, action: Action, key: Key) -> str | None:
        """None: the folder is the action's own."""
        return None

    def close(self, action_dir: ActionDir, *, reusable: bool) -> None:
        """Empty or remove the folder, unless it is to be kept."""
        if self._keep:
            return
        if reusable:
            self._slots.give_back(action_dir.folder)
        else:
            self._slots.remove(action_dir.folder)

    def end(self) -> None:
        """Remove what was kept for further actions."""
        self._links.close()
        if not self._keep:
            self._slots.close()


class SharedFolders:
    """A few folders used again and again, over one view of all inputs: quick, and keeps nothing apart.

    The links of an earlier build stay; each is made anew when a build first needs it. An action that reads a
    directory as a whole has a folder of its own: a link to a directory leads to files that are not ours.
    """

    def __init__(self, work: str, real: Real) -> None:
        self._private = PrivateFolders(f"{work}/private", real)
        self._apart: set[str] = set()
        self._work = work
        self._real = real
        self._forest = f"{work}/forest"
        self._linked: dict[str, tuple[int, int]] = {}
        """Inode and change time of each link."""
        self._made: set[str] = set()
        self._free: list[ActionDir] = []
        self._count = 0
        self._mode = 0
        """Of a new folder."""

    def open(self, action: Action, key: Key) -> ActionDir:
        """A folder whose `in` is the common view, with the inputs of `action` in it."""
        files = inputs_of(action, key)
        if any(isinstance(file, Tree) for file in files):
            action_dir = self._private.open(action, key)
            self._apart.add(action_dir.folder)
            return action_dir
        for file in files:
            self._link(file)
        action_dir = self._free.pop() if self._free else self._new()
        for file in action.outputs:
            if "/" in file.made[4:]:
                os.makedirs(os.path.dirname(f"{action_dir.folder}/{file.made}"), exist_ok=True)
        return action_dir

    def replaced(self, action_dir: ActionDir, action: Action, key: Key) -> str | None:
        """The first input in the common view that is not as it was put there; it will be put there anew."""
        if action_dir.folder in self._apart:
            return None
        for file in inputs_of(action, key):
            path = f"{self._forest}/{file.path}"
            if _mark_of(path) != self._linked.get(file.path):
                self._linked.pop(file.path, None)
                return path
        return None

    def close(self, action_dir: ActionDir, *, reusable: bool) -> None:
        """Empty the folder of what the action left behind; one that it has spoilt is not used again."""
        if action_dir.folder in self._apart:
            self._apart.remove(action_dir.folder)
            self._private.close(action_dir, reusable=reusable)
            return
        try:
            whole = reusable and self._reset(action_dir.folder)
        except OSError:
            whole = False
        if whole:
            self._free.append(action_dir)
        else:
            remove(action_dir.folder)

    def end(self) -> None:
        """Remove the folders of single actions; the others stay for the next build."""
        self._private.end()

    def _reset(self, folder: str) -> bool:
        """Empty a folder; False when the action has put something else in the place of what is ours."""
        out, tmp = f"{folder}/out", f"{folder}/tmp"
        if any(os.lstat(each).st_mode != self._mode for each in (folder, out, tmp)):
            return False
        if _touched(folder):
            _empty(folder, ("in", "out", "tmp"))
            if os.readlink(f"{folder}/in") != self._forest:
                return False
        _empty(out)
        if _touched(tmp):
            _empty(tmp)
        return True

    def _new(self) -> ActionDir:
        self._count += 1
        folder = f"{self._work}/slot{self._count}"
        remove(folder)
        os.makedirs(self._forest, exist_ok=True)
        os.makedirs(f"{folder}/tmp")
        os.makedirs(f"{folder}/out")
        os.symlink(self._forest, f"{folder}/in")
        self._mode = os.lstat(folder).st_mode
        return ActionDir(folder=folder, log=f"{folder}.log")

    def _link(self, file: File) -> None:
        if file.path in self._linked:
            return
        target = f"{self._forest}/{file.path}"
        self._clear_way(target)
        try:
            _place(file, target, self._real, os.symlink)
        except FileExistsError:
            remove(target)
            _place(file, target, self._real, os.symlink)
        self._linked[file.path] = _mark_of(target) or (0, 0)

    def _clear_way(self, target: str) -> None:
        """Make room for a link where a former build may have had a folder's or a file's link."""
        above = os.path.dirname(target)
        while len(above) > len(self._forest) and above not in self._made:
            if os.path.islink(above) or os.path.isfile(above):
                remove(above)
                break
            above = os.path.dirname(above)
        _parent(target, self._made)


def _empty(folder: str, kept: Collection[str] = ()) -> None:
    for name in os.listdir(folder):
        if name not in kept:
            remove(f"{folder}/{name}")


def _touched(folder: str) -> bool:
    """Whether something came or went. The time is set anew at once, so what comes late is seen next time."""
    if os.stat(folder).st_mtime_ns == _UNTOUCHED_NS:
        return False
    os.utime(folder, ns=(_UNTOUCHED_NS, _UNTOUCHED_NS))
    return True


def inputs_of(action: Action, key: Key) -> Sequence[File]:
    """Everything that lies at `in/…`: declared inputs and found headers; a tree stands for what is in it."""
    if not (action.cxx.sources or key.headers or any(isinstance(file, Tree) for file in action.inputs)):
        return action.inputs
    wanted = {file.path: file for file in (*action.inputs, *action.cxx.sources)}
    wanted.update((header.file.path, header.file) for header in key.headers)
    trees = [f"{path}/" for path, file in wanted.items() if isinstance(file, Tree)]
    return [file for path, file in wanted.items() if not any(path.startswith(tree) for tree in trees)]


def _place(file: File, target: str, real: Real, link: Callable[[str, str], None]) -> None:
    if file.origin is Origin.TEXT:
        with open(target, "x") as stream:
            stream.write(file.content or "")
    else:  # A hard link would change the file's change time, and Landlock would let the action write to it.
        link(real(file), target)


def _mark_of(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _parent(path: str, made: set[str]) -> None:
    folder = os.path.dirname(path)
    if folder not in made:
        os.makedirs(folder, exist_ok=True)
        made.add(folder)
