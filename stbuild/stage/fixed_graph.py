"""A traced graph with its number formats, for the stages that need both."""

from argparse import ArgumentParser
from pathlib import Path

from stbuild.ir.formats import read_formats
from stbuild.ir.graph import Graph
from stbuild.ops.files import read_graph
from stbuild.passes.numerics import FixNumerics


def add_formats(parser: ArgumentParser) -> None:
    """The option that `fixed_graph` takes."""
    parser.add_argument("--formats", help="the project's own fraction bits; the usual ones without")


def fixed_graph(graph: str, formats: str | None) -> Graph:
    """The graph of a file in fixed point, with the fraction bits of another file if there is one."""
    fix = FixNumerics(formats=read_formats(formats), where=formats)
    return fix(read_graph(Path(graph)))
