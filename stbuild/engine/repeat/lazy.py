"""Many nodes as one text, of which those that are asked for are made, some at a time."""

import pickle
from collections.abc import Iterator, Mapping, Sequence

from stbuild.engine.graph.action import Node

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


class LazyNodes(Mapping[str, Node]):
    """The nodes by id, in the order of `names`; the places count from the beginning of `text`."""

    def __init__(self, text: memoryview, names: Sequence[str], at: Places) -> None:
        self._text = text
        self._at = at
        self._number = {name: number for number, name in enumerate(names)}
        self._groups: dict[int, Sequence[Node]] = {}

    def __getitem__(self, name: str) -> Node:
        group, place = divmod(self._number[name], _GROUP)
        if group not in self._groups:
            offset, size = self._at[group]
            self._groups[group] = pickle.loads(self._text[offset : offset + size])
        return self._groups[group][place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._number)

    def __len__(self) -> int:
        return len(self._number)
