"""Which files and folders the graph was made from, so that an unchanged graph need not be made again."""

from pathlib import Path


class Tracker:
    """Collects paths; a path that does not exist counts too, since its appearance would matter."""

    def __init__(self) -> None:
        self.paths: set[str] = set()

    def saw(self, path: Path | str) -> None:
        """Record that `path` was read, listed, or looked for."""
        self.paths.add(str(path))
