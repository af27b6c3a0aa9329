"""What a build must look at when a few files have changed since the same command last succeeded.

Then the graph of that time is still right, and only the actions below the changed files are evaluated. It is
kept for graphs of plain commands, which may be large; others are small and made anew.
"""

import marshal
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stbuild.engine import noop
from stbuild.engine.action import Action, Node
from stbuild.engine.artifact import Origin, Tree
from stbuild.engine.graph import Graph
from stbuild.engine.label import Label
from stbuild.engine.tracker import Signature, settled_signature


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

    @property
    def untouched(self) -> list[str]:
        """The ids of the nodes whose results are as they were."""
        return [name for name in self.order if name not in self.affected]


def find(argv: list[str]) -> Delta | None:
    """What has changed for a command; None when its graph must be made anew."""
    saved = noop.load(argv)
    place = noop.locate(argv)
    if saved is None or place is None:
        return None
    try:
        with open(f"{place}.delta", "rb") as stream:
            extra = marshal.load(stream)
        now = [settled_signature(path) for path in saved["paths"]]
        changed = {number for number, sig in enumerate(saved["sigs"]) if sig != now[number]}
        if not changed.isdisjoint(range(extra["graph_paths"])):
            return None
        with open(f"{place}.graph", "rb") as stream:
            graph, labels = pickle.load(stream)
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, pickle.UnpicklingError):
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
    )


def keep(
    place: str,
    graph: Graph,
    labels: Sequence[Label],
    nodes: Sequence[Node],
    paths: Sequence[str],
    graph_paths: int,
    outputs: Sequence[str],
    real: Any,
) -> None:
    """Save the graph beside a no-op's answer, when it is one that `find` can use."""
    if not all(isinstance(node, Action) and _plain(node) for node in nodes):
        return
    index = {node.id: number for number, node in enumerate(nodes)}
    path_index = {path: number for number, path in enumerate(paths)}
    out_index = {path: number for number, path in enumerate(outputs)}
    sources = [[f for f in node.producer_inputs if f.origin in _ON_DISK] for node in nodes]
    extra = {
        "graph_paths": graph_paths,
        "order": list(index),
        "deps": [[index[each] for each in graph.dependencies(node)] for node in nodes],
        "reads": [[path_index[real(file)] for file in files] for files in sources],
        "outs": [[out_index[real(file)] for file in node.outputs] for node in nodes],
    }
    for suffix, data in (
        (".delta", marshal.dumps(extra)),
        (".graph", pickle.dumps((graph, list(labels)), 5)),
    ):
        temporary = f"{place}{suffix}.{os.getpid()}"
        with open(temporary, "wb") as stream:
            stream.write(data)
        os.rename(temporary, f"{place}{suffix}")


_ON_DISK = (Origin.SOURCE, Origin.LIBRARY, Origin.EXTERNAL)


def _plain(action: Action) -> bool:
    special = action.module or action.tools or action.cxx.sources or not action.policy.cacheable
    return not special and not any(isinstance(file, Tree) for file in (*action.inputs, *action.outputs))


def _affected(extra: dict[str, Any], changed: set[int], damaged: set[int]) -> frozenset[str]:
    hit: set[int] = set()
    rows = zip(extra["reads"], extra["outs"], extra["deps"], strict=True)
    for number, (reads, outs, deps) in enumerate(rows):
        if not (hit.isdisjoint(deps) and changed.isdisjoint(reads) and damaged.isdisjoint(outs)):
            hit.add(number)
    return frozenset(extra["order"][number] for number in hit)


def _mark(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
