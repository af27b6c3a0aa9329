"""Sends or gets many contents at once, and tells how many bytes have gone."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from stbuild.publish.storage import CONNECTIONS

T = TypeVar("T")
Listener = Callable[[int, int], None]
"""Is told the bytes that have gone, and all."""


@dataclass
class Counter:
    """Adds up bytes of several threads."""

    total: int
    listener: Listener
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, count: int) -> None:
        """So many more bytes have gone."""
        with self._lock:
            self.done += count
            self.listener(self.done, self.total)


def each_at_once(work: Callable[[T], None], items: Iterable[T]) -> None:
    """Do the work for each item, a few at once; the first failure stops those that have not begun."""
    pool = ThreadPoolExecutor(max_workers=CONNECTIONS)
    try:
        for future in [pool.submit(work, item) for item in items]:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)
