"""`stbuild query`: deps(…), rdeps(…, …), somepath(…, …), kind(…, …), attr(…, …, …), as text, JSON or dot."""

import argparse
import json

from stbuild.cli.parser import add_graph_options
from stbuild.cli.request import make_request, open_workspace, pattern_of
from stbuild.engine.graph.graph import Graph, TargetNode
from stbuild.engine.graph.label import Pattern
from stbuild.engine.graph.query import Query
from stbuild.engine.load.analysis import Analysis
from stbuild.engine.load.workspace import Workspace

_HELP = (
    "deps(X), rdeps(UNIVERSE, X), somepath(A, B), kind(REGEX, X) or attr(NAME, REGEX, X), joined by + - ^; "
    "deps and rdeps take a depth at the end; for example 'rdeps(//..., //hello:greeting)'"
)


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("question", nargs="+", help=_HELP)
    parser.add_argument(
        "--output", choices=("text", "json", "dot"), default="text", help="form of the answer"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="output", help="--output=json")
    add_graph_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Analyse the whole workspace and answer."""
    workspace = open_workspace()
    analysis, graph = whole_graph(workspace, options)

    def match(text: str) -> list[str]:
        return [str(label) for label in analysis.match([pattern_of(workspace, text)])]

    question = " ".join(options.question)
    rules = analysis.index.names("rules")
    answer = Query(targets=graph.targets, match=match, rules=rules).ask(question)
    text = render([graph.targets[label] for label in answer], options.output)
    print(text, end="\n" if text else "")
    return 0


def whole_graph(workspace: Workspace, options: argparse.Namespace) -> tuple[Analysis, Graph]:
    """Every target of the workspace, analysed."""
    request = make_request(workspace, options, ["//..."])
    analysis = Analysis(workspace=workspace, configuration=request.configuration, overrides=request.overrides)
    return analysis, analysis.graph(analysis.match([Pattern(package="", recursive=True)]))


def render(targets: list[TargetNode], form: str) -> str:
    """Targets as lines, JSON or a dot graph of the edges among them."""
    if form == "json":
        rows = [
            {"label": each.label, "rule": each.rule, "where": each.where, "attrs": dict(each.attrs),
             "deps": list(each.deps), "files": [file.path for file in each.files]}
            for each in targets
        ]  # fmt: skip
        return json.dumps(rows, indent=2, default=str)
    if form == "dot":
        inside = {each.label for each in targets}
        edges = [f'  "{each.label}" -> "{dep}";' for each in targets for dep in each.deps if dep in inside]
        names = [f'  "{each.label}" [label="{each.label}\\n{each.rule}"];' for each in targets]
        return "\n".join(["digraph stbuild {", "  node [shape=box];", *names, *edges, "}"])
    return "\n".join(each.label for each in targets)
