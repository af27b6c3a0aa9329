"""Proposes fraction bits for a model whose values the usual ones do not hold, from its weights."""

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.ir.formats import USUAL, Formats, formats_text
from stbuild.ir.graph import Graph
from stbuild.ops.files import read_graph
from stbuild.passes.numerics import FixNumerics, free_values
from stbuild.passes.residual import residual_values
from stbuild.reference.ranges import Ranges
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.stage.float_report import checked, closing_line, load_run
from stbuild.stage.float_run import FloatRun


def main(args: Namespace) -> None:
    """Write the proposal and what holds with it; fail if the integers are not near the floats even then."""
    graph = read_graph(Path(args.graph))
    formats = proposed(graph, _run_of(args, FixNumerics()(graph)))
    run = _run_of(args, FixNumerics(formats=formats)(graph))
    try:
        agreement, outcome = checked(run, json.loads(Path(args.lines).read_text()))
    except StbuildError as error:
        text = " ".join(formats_text(formats).split())
        raise StbuildError(
            f"with the fraction bits {text} that fit best, {error.message}", where=error.where, exit_code=1
        ) from error
    Path(args.out).write_text(formats_text(formats))
    line = "; ".join(said(formats))
    Path(args.report).write_text(f"{line}\nwith them, {closing_line(run, agreement, outcome)}\n")
    Path(args.summary).write_text(json.dumps({"formats": line}, indent=1) + "\n")


def proposed(graph: Graph, run: FloatRun) -> Formats:
    """Fraction bits for `graph`, as traced, by what `run` of it with the usual ones shows."""
    ranges = Ranges(graph=graph)
    run.run(ranges)
    carried = {f"{block.name}/{name}" for block in graph.blocks[:-1] for name in residual_values(block)}
    return ranges.proposal(run.weights, free_values(graph), carried)


def _run_of(args: Namespace, graph: Graph) -> FloatRun:
    """A run in this process: OpenMP has threads here after the first, and a fork does not survive that."""
    return replace(load_run(args, graph), apart=False)


def said(formats: Formats) -> Iterator[str]:
    """What is proposed, in words."""
    if formats == USUAL:
        yield "the usual fraction bits hold this model"
    if formats.residual != USUAL.residual:
        yield f"{formats.residual} fraction bits for the residual stream, {USUAL.residual} are usual"
    for what, bits in (("values", formats.values), ("parameters", formats.parameters)):
        if bits:
            yield f"other fraction bits for {len(bits)} {what}"


if __name__ == "__main__":
    parser = stage_parser(
        "Propose fraction bits for a model.",
        graph="the tensor graph as traced",
        tables="position tables",
        lines="source lines of the graph's ops",
        options="quantisation and seed",
        tokenizer="folder that may have tokenizer.json",
        model="file that defines model()",
        out="formats to write",
        report="report to write",
        summary="closing line to write",
    )
    parser.add_argument("--source", help="GGUF file or Hugging Face folder; synthetic without")
    parser.add_argument("--merge-lora", action="store_true", help="merge the matrices of LoRA modules")
    run_stage(parser, main)
