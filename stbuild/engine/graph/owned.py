"""Folders of outputs, in which a symbolic link would lead a build to files that are not its own."""

import os


class OwnedFolders:
    """The folders at and below `top`, each looked at once."""

    def __init__(self, top: str) -> None:
        self._top = top
        self._seen: set[str] = set()

    def unlink(self, path: str) -> None:
        """Remove links in the place of the folders that lead to `path`, which a build is about to write."""
        folder = os.path.dirname(path)
        if folder in self._seen:
            return
        above = []
        while len(folder) >= len(self._top) and folder not in self._seen:
            above.append(folder)
            folder = os.path.dirname(folder)
        for each in reversed(above):
            if os.path.islink(each):
                os.unlink(each)
            self._seen.add(each)
