"""Host copies of buffers in memory that two processes share."""

import mmap
import os
from collections.abc import Mapping

PAGE = 4096


class Arena:
    """Buffers by name, one behind the other in one memory file; untouched pages take no memory."""

    def __init__(self, file: int, sizes: Mapping[str, int]) -> None:
        self._memory = mmap.mmap(file, max(sum(map(_pages, sizes.values())), PAGE))
        self._places: dict[str, tuple[int, int]] = {}
        at = 0
        for name, size in sizes.items():
            self._places[name] = at, size
            at += _pages(size)

    def view(self, name: str) -> memoryview:
        """The bytes of one buffer, to read and to write."""
        at, size = self._places[name]
        return memoryview(self._memory)[at : at + size]


def make_file(sizes: Mapping[str, int]) -> int:
    """A memory file for `Arena`, without a name; whoever has its descriptor has it."""
    file = os.memfd_create("stbuild-host-buffers")
    os.ftruncate(file, max(sum(map(_pages, sizes.values())), PAGE))
    return file


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE
