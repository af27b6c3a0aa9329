"""Whether what an action left in its folder is what it declared, and all of it its own."""

import errno
import os
import stat
from collections.abc import Iterable

from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Tree
from stbuild.engine.graph.names import text_problem
from stbuild.engine.store.files import open_up, walk

_LINKS = 40
"""So many symbolic links Linux follows."""


def outputs_problem(folder: str, action: Action) -> str:
    """What is wrong with the outputs that an action left in its folder; '' when nothing is.

    Files that we may not read, and folders that we may not change, are given the modes for it first.
    """
    try:
        try:
            return _problem(folder, action)
        except PermissionError:
            open_up(folder)
            return _problem(folder, action)
    except OSError as error:
        return f"made outputs that cannot be read: {os.strerror(error.errno or 0)}"


def _problem(folder: str, action: Action) -> str:
    missing = []
    for file in action.outputs:
        path = f"{folder}/{file.made}"
        mode, links = _way(folder, file)
        if stat.S_IFMT(mode) != (stat.S_IFDIR if isinstance(file, Tree) else stat.S_IFREG):
            missing.append(file.made + (", which is something else" if os.path.lexists(path) else ""))
            continue
        problem = _first(_member_problem(link, folder) for link in links)
        if isinstance(file, Tree):
            problem = problem or _tree_problem(path, folder)
        if problem:
            return problem
    return f"ended well but did not make {', '.join(missing)}" if missing else ""


def _way(folder: str, file: File) -> tuple[int, list[str]]:
    """The mode of what an output's path leads to, 0 for nothing, and the symbolic links on the way."""
    path, mode, links = folder, 0, []
    try:
        for part in file.made.split("/"):
            path = f"{path}/{part}"
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                links.append(path)
                mode = os.stat(path).st_mode
            else:
                _require_rights(mode)
    except (FileNotFoundError, NotADirectoryError):
        return 0, links
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return 0, links
    return mode, links


def _tree_problem(tree: str, folder: str) -> str:
    """What in a tree is neither a file nor a folder of it; '' when nothing is."""
    for place, folders, files in walk(tree):
        paths = [f"{place}/{name}" for name in (*folders, *files)]
        problem = _first(_member_problem(path, folder) for path in paths)
        if problem:
            return problem
    return ""


def _member_problem(path: str, folder: str) -> str:
    mode = os.lstat(path).st_mode
    made = f"made {os.path.relpath(path, folder)}"
    if text_problem(path):
        return f"{ascii(made)[1:-1]}, whose name is not UTF-8"
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        _require_rights(mode)
        return ""
    if not stat.S_ISLNK(mode):
        return f"{made}, which is neither a file nor a folder"
    if os.path.isfile(path):
        return _lead_out(path, folder)
    return f"{made} a link to {'a folder' if os.path.isdir(path) else 'no file'}: copy what it stands for"


def _require_rights(mode: int) -> None:
    """`PermissionError` where we, the owner, could not read a file, or not move files out of a folder."""
    wanted = stat.S_IRWXU if stat.S_ISDIR(mode) else stat.S_IRUSR
    if mode & wanted != wanted:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _lead_out(link: str, folder: str) -> str:
    target = _led_to(link, folder)
    made = f"made {os.path.relpath(link, folder)} a link"
    return f"{made} to {target}, which is no input: copy it" if target else ""


def _first(texts: Iterable[str]) -> str:
    """The first that is not empty."""
    return next(filter(None, texts), "")


def _led_to(link: str, folder: str) -> str:
    """Where a link leads to outside of an action's folder other than by its inputs; '' when it does not."""
    path = link
    for _ in range(_LINKS):
        if not os.path.islink(path) or path.startswith(f"{folder}/in/"):
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        if not path.startswith(f"{folder}/"):
            return path
    return ""
