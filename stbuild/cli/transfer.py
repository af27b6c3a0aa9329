"""How much of a publication has gone, on a line of the terminal that is written over."""

import sys
import time
from types import TracebackType
from typing import Self

_EVERY_S = 0.2


class Line:
    """A listener that shows its figures while they change; nothing where stderr is no terminal."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._shown = sys.stderr.isatty()
        self._last = 0.0
        self._width = 0

    def __call__(self, done: int, total: int) -> None:
        """So many of all bytes have gone."""
        now = time.monotonic()
        if self._shown and now - self._last > _EVERY_S:
            self._last = now
            text = f"{self._verb} {megabytes(done)} of {megabytes(total)}"
            self._width = max(self._width, len(text))
            print(f"\r{text:{self._width}}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the line empty."""
        if self._width:
            print(f"\r{'':{self._width}}\r", end="", file=sys.stderr, flush=True)


def megabytes(count: int) -> str:
    """A number of bytes to read."""
    return f"{count / 1e6:,.1f} MB"
