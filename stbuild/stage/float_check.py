"""Checks that the graph is the model, in floats, and that the card's integers are near the graph."""

import json
from argparse import Namespace
from pathlib import Path

from stbuild.stage.entry import run_stage, stage_parser, uncollected
from stbuild.stage.fixed_graph import add_formats, fixed_graph


def main(args: Namespace) -> None:
    """Write report, closing line and verdict; fail if model, graph and integers do not agree."""
    graph = fixed_graph(args.graph, args.formats)
    with uncollected():
        from stbuild.stage.float_report import checked, closing_line, load_run, report  # brings torch
    run = load_run(args, graph)
    agreement, outcome = checked(run, json.loads(Path(args.lines).read_text()))
    Path(args.report).write_text("\n".join(report(run, agreement, outcome)) + "\n")
    line = closing_line(run, agreement, outcome)
    Path(args.summary).write_text(json.dumps({"floats": line}, indent=1) + "\n")
    Path(args.verdict).write_text("compared\n")


if __name__ == "__main__":
    parser = stage_parser(
        "Compare a model, its graph and the card's integers.",
        graph="the tensor graph as traced",
        tables="position tables",
        lines="source lines of the graph's ops",
        options="quantisation and seed",
        tokenizer="folder that may have tokenizer.json",
        model="file that defines model()",
        report="report to write",
        summary="closing line to write",
        verdict="file that tells that it passed",
    )
    parser.add_argument("--source", help="GGUF file or Hugging Face folder; synthetic without")
    add_formats(parser)
    parser.add_argument("--merge-lora", action="store_true", help="merge the matrices of LoRA modules")
    run_stage(parser, main)
