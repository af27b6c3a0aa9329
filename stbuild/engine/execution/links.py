"""Symbolic links to inputs in the folders of actions, each a further name of one link for the whole build."""

import os

from stbuild.engine.store.files import remove


class Links:
    """Keeps one symbolic link for each input; the folders of actions get hard links to it.

    A new symbolic link is a new inode, which takes up to thirty times as long as another name of one. What a
    link leads to cannot be changed, and who removes or replaces one name leaves the others as they are.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._kept: dict[str, str] = {}
        self._serial = 0

    def put(self, real: str, target: str) -> None:
        """Make `target` a symbolic link to `real`; FileExistsError where something is there."""
        try:
            os.link(self._kept.get(real) or self._keep(real), target, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # It has as many names as it may have, or may have one only on this file system.
            self._kept.pop(real, None)
            os.symlink(real, target)
            return
        if _led_to(target) != real:  # Without a sandbox an action can replace the link that is kept.
            del self._kept[real]
            os.unlink(target)
            os.symlink(real, target)

    def close(self) -> None:
        """Remove the links that were kept; those in the folders of actions stay."""
        self._kept.clear()
        if self._serial:
            remove(self._folder)

    def _keep(self, real: str) -> str:
        if not self._serial:
            remove(self._folder)
            os.makedirs(self._folder)
        self._serial += 1
        link = f"{self._folder}/{self._serial}"
        remove(link)  # An action without a sandbox may have made it.
        os.symlink(real, link)
        self._kept[real] = link
        return link


def _led_to(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # It is a file.
        return ""
