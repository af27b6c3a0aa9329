"""Which files and folders a build looked at, each with its signature from before it was read."""

import os
from pathlib import Path

Signature = tuple[int, int, int, int] | None


class Tracker:
    """Collects paths; a path that does not exist counts too, since its appearance would matter."""

    def __init__(self) -> None:
        self.paths: dict[str, Signature] = {}

    def saw(self, path: Path | str) -> None:
        """Record that `path` was read, listed, or looked for; call it before that."""
        name = str(path)
        if name not in self.paths:
            self.paths[name] = signature(name)


def signature(path: str) -> Signature:
    """What changes when a file or folder does; None where nothing is."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if status.st_mode & 0o170000 == 0o040000:
        return (0, status.st_mtime_ns, 0, status.st_ino)
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
