"""What a build must look at when a few files have changed since the same command last succeeded.

Then the graph of that time is still right, and only the actions below the changed files are evaluated. It is
kept for graphs of plain commands, which may be large; others are small and made anew.
"""

import marshal
import os
import pickle
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

from stbuild.engine.graph.action import Action, Node
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.graph.graph import Graph
from stbuild.engine.graph.label import Label
from stbuild.engine.keys.tracker import Signature, settled_signature
from stbuild.engine.repeat import noop
from stbuild.engine.repeat.lazy import LazyNodes, pieces, places


@dataclass(frozen=True, kw_only=True)
class Delta:
    """A graph that is still right, the nodes to look at, and what was known of files and outputs."""

    graph: Graph
    labels: list[Label]
    order: list[str]
    affected: frozenset[str]
    paths: dict[str, Signature]
    graph_paths: int
    marks: dict[str, tuple[int, int]]
    token: bytes

    @property
    def untouched(self) -> list[str]:
        """The ids of the nodes whose results are as they were."""
        return [name for name in self.order if name not in self.affected]


def find(argv: list[str], saved: noop.Saved) -> Delta | None:
    """What has changed for a command since `saved`; None when its graph must be made anew."""
    place = noop.locate(argv)
    if place is None:
        return None
    try:
        extra, graph, labels = _read(f"{place}.delta", saved["token"])
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError):
        return None
    now = [settled_signature(path) for path in saved["paths"]]
    changed = {number for number, sig in enumerate(saved["sigs"]) if sig != now[number]}
    if not changed.isdisjoint(range(extra["graph_paths"])) or any(now[number] is None for number in changed):
        return None
    damaged = {n for n, mark in enumerate(saved["marks"]) if _mark(saved["outputs"][n]) != mark}
    return Delta(
        graph=graph,
        labels=labels,
        order=extra["order"],
        affected=_affected(extra, changed, damaged),
        paths=dict(zip(saved["paths"], now, strict=True)),
        graph_paths=extra["graph_paths"],
        marks=dict(zip(saved["outputs"], saved["marks"], strict=True)),
        token=saved["token"],
    )


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A build that succeeded; paths and outputs are in the order of the no-op's answer."""

    graph: Graph
    labels: Sequence[Label]
    nodes: Sequence[Node]
    paths: Sequence[str]
    graph_paths: int
    """So many of the paths, the first ones, made the graph."""
    outputs: Sequence[str]
    real: Callable[[File], str]


def keep(place: str, token: bytes, build: Finished) -> None:
    """Save the graph beside a no-op's answer of the same token, when it is one that `find` can use."""
    graph, nodes, real = build.graph, build.nodes, build.real
    if not all(isinstance(node, Action) and _plain(node) for node in nodes):
        return
    index = {node.id: number for number, node in enumerate(nodes)}
    path_index = {path: number for number, path in enumerate(build.paths)}
    out_index = {path: number for number, path in enumerate(build.outputs)}
    read = ([path_index[real(f)] for f in node.producer_inputs if f.origin in _ON_DISK] for node in nodes)
    made = ([out_index[real(f)] for f in node.outputs] for node in nodes)
    used = ([index[each] for each in graph.dependencies(node)] for node in nodes)
    asked = {str(label): graph.targets[str(label)] for label in build.labels}
    parts = [pickle.dumps((list(build.labels), asked), 5), *pieces(nodes)]
    extra = {
        "token": token,
        "graph_paths": build.graph_paths,
        "order": list(index),
        "users": _turned(used, len(nodes)),
        "readers": _turned(read, len(build.paths)),
        "makers": _turned(made, len(build.outputs)),
        "configuration": graph.configuration,
        "producers": {file.path: node.id for node in nodes for file in node.outputs},
        "places": places(parts, 0),
    }
    head = marshal.dumps(extra)
    text = b"".join((b"%010d" % len(head), head, *parts))
    temporary = f"{place}.delta.{os.getpid()}"
    with open(temporary, "wb") as stream:
        stream.write(b"%08x" % zlib.crc32(text) + text)
    os.rename(temporary, f"{place}.delta")


def _read(path: str, token: bytes) -> tuple[dict[str, Any], Graph, list[Label]]:
    """What `keep` has saved, if it was together with the answer that has this token, and is whole."""
    with open(path, "rb") as stream:
        checksum, text = stream.read(8), memoryview(stream.read())
    if b"%08x" % zlib.crc32(text) != checksum:
        raise ValueError(path)
    head = 10 + int(bytes(text[:10]))
    extra, parts = marshal.loads(text[10:head]), text[head:]
    if extra["token"] != token:
        raise ValueError(path)
    labels, targets = pickle.loads(parts[: extra["places"][0][1]])
    graph = Graph(
        configuration=extra["configuration"],
        targets=targets,
        nodes=LazyNodes(parts, extra["order"], extra["places"][1:]),
        producers=extra["producers"],
    )
    return extra, graph, labels


_ON_DISK = (Origin.SOURCE, Origin.LIBRARY, Origin.EXTERNAL)


def _plain(action: Action) -> bool:
    special = action.module or action.tools or action.cxx.sources or not action.policy.cacheable
    return not special and not any(isinstance(file, Tree) for file in (*action.inputs, *action.outputs))


def _turned(rows: Iterable[list[int]], count: int) -> tuple[bytes, bytes]:
    """From each number below `count` to the rows that it stands in: where they begin, and all of them.

    As bytes they are read at once; as lists they would take half of the time that `find` takes.
    """
    found: list[list[int]] = [[] for _ in range(count)]
    for row, numbers in enumerate(rows):
        for number in numbers:
            found[number].append(row)
    starts = array("I", accumulate(map(len, found), initial=0))
    return starts.tobytes(), array("I", chain.from_iterable(found)).tobytes()


class _Rows:
    """What `_turned` has made, to be asked."""

    def __init__(self, turned: tuple[bytes, bytes]) -> None:
        self._starts, self._rows = array("I", turned[0]), array("I", turned[1])

    def __getitem__(self, number: int) -> Sequence[int]:
        return self._rows[self._starts[number] : self._starts[number + 1]]


def _affected(extra: dict[str, Any], changed: set[int], damaged: set[int]) -> frozenset[str]:
    readers, makers, users = (_Rows(extra[name]) for name in ("readers", "makers", "users"))
    pending = [node for path in changed for node in readers[path]]
    pending += [node for output in damaged for node in makers[output]]
    hit: set[int] = set()
    while pending:
        node = pending.pop()
        if node not in hit:
            hit.add(node)
            pending += users[node]
    return frozenset(extra["order"][number] for number in hit)


def _mark(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ctime_ns, status.st_ino
