"""`stbuild graph`: a target and what it needs, as a tree in text, as dot, JSON, or SVG through Graphviz."""

import argparse
import shutil
import subprocess
from pathlib import Path

from stbuild.cli.parser import add_graph_options
from stbuild.cli.query import render
from stbuild.cli.request import make_request, open_workspace
from stbuild.engine.graph.graph import Graph
from stbuild.engine.keys.tools import missing_tool
from stbuild.engine.load.analysis import Analysis


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="targets, folders, //a/... or :all")
    parser.add_argument(
        "--output",
        choices=("text", "dot", "svg", "json"),
        default="text",
        help="form of the picture; svg needs Graphviz",
    )
    parser.add_argument("--json", action="store_const", const="json", dest="output", help="--output=json")
    parser.add_argument("--file", metavar="PATH", help="where the SVG goes (default: graph.svg)")
    add_graph_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Draw the targets below the labels."""
    workspace = open_workspace()
    request = make_request(workspace, options, options.labels)
    analysis = Analysis(workspace=workspace, configuration=request.configuration, overrides=request.overrides)
    labels = analysis.match(list(request.patterns))
    graph = analysis.graph(labels)
    if options.output == "text":
        seen: set[str] = set()
        print("\n".join(line for label in labels for line in tree_lines(graph, str(label), seen)))
        return 0
    if options.output in ("dot", "json"):
        print(render(list(graph.targets.values()), options.output))
        return 0
    dot = render(list(graph.targets.values()), "dot")
    if shutil.which("dot") is None:
        raise missing_tool("dot")
    target = Path(options.file or "graph.svg")
    subprocess.run(["dot", "-Tsvg", "-o", str(target)], input=dot, text=True, check=True)
    print(target)
    return 0


def tree_lines(graph: Graph, label: str, seen: set[str], indent: str = "") -> list[str]:
    """A target with what it needs below it; what was drawn before is only named again."""
    target = graph.targets[label]
    if label in seen and target.deps:
        return [f"{indent}{label} …"]
    seen.add(label)
    lines = [f"{indent}{label}  {target.rule}"]
    for dep in target.deps:
        lines += tree_lines(graph, dep, seen, indent + "  ")
    return lines
