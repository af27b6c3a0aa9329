"""The outputs that one target has declared, and which of them an action makes already."""

from collections.abc import Iterable, Sequence

from stbuild.engine.graph.artifact import File, Origin


class Declared:
    """Grows while a rule runs; every output belongs to one action at most."""

    def __init__(self) -> None:
        self._made: dict[str, File] = {}
        self._claimed: set[str] = set()

    def add(self, file: File) -> None:
        """Declare an output that no action makes yet."""
        self._made[file.path] = file

    def unclaimed(self, outputs: Iterable[File] = ()) -> set[str]:
        """The paths that an action may write: `outputs`, and what no other makes."""
        return self._made.keys() - self._claimed | {file.path for file in outputs}

    def claim(self, outputs: Sequence[File]) -> str:
        """Note that an action makes these; what is wrong with that as a sentence, or ''."""
        if not outputs:
            return "an action without an output can never be up to date"
        for file in outputs:
            if file.path in self._claimed:
                return f"two actions make {file.path}"
            if file.origin is not Origin.OUTPUT:
                return f"{file.path} is an input and cannot be an output"
            self._claimed.add(file.path)
        return ""
