"""A traced graph with its number formats, for the steps that need both."""

from pathlib import Path

from stbuild.ir.formats import read_formats
from stbuild.ir.graph import Graph
from stbuild.ops.files import read_graph
from stbuild.passes.numerics import FixNumerics


def fixed_graph(graph: Path, formats: Path | None) -> Graph:
    """The graph of a file in fixed point, with the fraction bits of another file if there is one."""
    where = str(formats) if formats else None
    return FixNumerics(formats=read_formats(where), where=where)(read_graph(graph))
