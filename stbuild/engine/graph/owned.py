"""Folders of outputs: a symbolic link among them would lead a build to files that are not its own."""

import os
import stat


class OwnedFolders:
    """The folders at and below `top`, each looked at once."""

    def __init__(self, top: str) -> None:
        self._top = top
        self._seen: set[str] = set()

    def unlink(self, path: str) -> None:
        """Remove links in the place of the folders that lead to `path`, which a build is about to write.

        Folders in which somebody has forbidden us to write are opened.
        """
        folder = os.path.dirname(path)
        if folder in self._seen:
            return
        above = []
        while len(folder) >= len(self._top) and folder not in self._seen:
            above.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(above):
            _take(each)
            self._seen.add(each)


def _take(folder: str) -> None:
    try:
        mode = os.lstat(folder).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(mode):
        os.unlink(folder)
    elif stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
        os.chmod(folder, mode | stat.S_IRWXU)
