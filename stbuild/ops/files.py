"""Graphs and designs as files: JSON in which every op stands under the name of its class."""

from pathlib import Path

from stbuild.ir import serde
from stbuild.ir.design import Design
from stbuild.ir.graph import Graph
from stbuild.ops.registry import OPS, PLUMBING


def read_graph(path: Path) -> Graph:
    """The graph in the file at `path`."""
    return serde.read(Graph, path, OPS)


def read_design(path: Path) -> Design:
    """The design in the file at `path`."""
    return serde.read(Design, path, (*OPS, *PLUMBING))
