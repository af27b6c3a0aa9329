"""Many nodes in one file, of which those that are asked for are read, some at a time."""

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence

from stbuild.engine.action import Node

_GROUP = 64
"""So many are written as one piece: names that they share are written once."""

Places = list[tuple[int, int]]
"""Offset and size of each piece."""


def pieces(nodes: Sequence[Node]) -> list[bytes]:
    """The text of the nodes, in pieces."""
    return [pickle.dumps(nodes[start : start + _GROUP], 5) for start in range(0, len(nodes), _GROUP)]


def places(parts: Sequence[bytes], start: int) -> Places:
    """Where each piece lies when they follow each other from `start` on."""
    found = []
    for part in parts:
        found.append((start, len(part)))
        start += len(part)
    return found


class Shelf(Mapping[str, Node]):
    """The nodes by id, in the order of `names`; `base` is where in the file the places count from.

    The open file is kept: another build may put a new one in its place at any time.
    """

    def __init__(self, handle: int, base: int, names: Sequence[str], at: Places) -> None:
        self._handle = os.dup(handle)
        self._base = base
        self._at = at
        self._number = {name: number for number, name in enumerate(names)}
        self._groups: dict[int, Sequence[Node]] = {}

    def __getitem__(self, name: str) -> Node:
        group, place = divmod(self._number[name], _GROUP)
        if group not in self._groups:
            offset, size = self._at[group]
            self._groups[group] = pickle.loads(os.pread(self._handle, size, self._base + offset))
        return self._groups[group][place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._number)

    def __len__(self) -> int:
        return len(self._number)

    def __del__(self) -> None:
        os.close(self._handle)
