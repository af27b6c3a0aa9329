"""Checks that the graph is the model, in floats, and that the card's integers are near the graph."""

import json
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer

from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.frontend.model_file import load_model
from stbuild.frontend.tables import read_tables
from stbuild.frontend.tokenizer_files import TOKENIZER_FILE
from stbuild.ir import serde
from stbuild.ir.graph import Graph
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.agreement import MAX_SATURATED, MAX_VANISHED, MIN_COSINE, Agreement
from stbuild.reference.departure import relative_error
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.stage.float_run import FloatRun, Outcome, float_run
from stbuild.stage.float_verdict import MAX_ERROR, Verdict

TEXT = (
    "The capital of France is Paris, and the capital of Italy is Rome. Both cities lie on a river and are"
    " known for their museums, their food and their old churches."
)


def main(args: Namespace) -> None:
    """Write the report and the closing line; fail if model, graph and integers do not agree."""
    graph = FixNumerics()(serde.read(Graph, Path(args.graph)))
    weights = open_checkpoint(graph, args.source, Path(args.options))
    module = load_model(Path(args.model), lora_merged=args.merge_lora).module
    tables, text = read_tables(Path(args.tables)), text_ids(Path(args.tokenizer))
    run = float_run(module, graph, weights, tables, text)
    agreement, outcome = checked(run, json.loads(Path(args.lines).read_text()))
    Path(args.report).write_text("\n".join(report(run, agreement, outcome)) + "\n")
    line = closing_line(run, agreement, outcome)
    Path(args.summary).write_text(json.dumps({"floats": line}, indent=1) + "\n")


def text_ids(folder: Path) -> tuple[int, ...]:
    """The ids of a text, if there is a tokenizer: trained weights are near their floats on language only."""
    path = folder / TOKENIZER_FILE
    return tuple(Tokenizer.from_file(str(path)).encode(TEXT).ids) if path.is_file() else ()


def checked(run: FloatRun, lines: dict[str, str]) -> tuple[Agreement, Outcome]:
    """What was found; raises StbuildError with the first op that departs when a gate is missed."""
    agreement = Agreement()
    outcome = run.run(agreement.add)
    Verdict(run=run, lines=lines).judge(agreement, outcome)
    return agreement, outcome


def closing_line(run: FloatRun, agreement: Agreement, outcome: Outcome) -> str:
    """One line of what holds."""
    long, short = run.prompts
    total = agreement.total()
    error = relative_error(outcome.graph, outcome.module)
    eps = max(agreement.eps.values(), default=0.0)
    return (
        f"the graph is the model within {error:.0e} ({len(long.ids)} tokens from position 0, {len(short.ids)}"
        f" from {short.start}), its integers are near at cosine {agreement.nearest.cosine:.4f} or more;"
        f" of {total.values:,} values {total.saturated:,} saturate, {total.vanished:,} vanish"
        + (f"; eps of {len(agreement.eps)} norms replaced, {eps:.2%} away" if agreement.eps else "")
    )


def report(run: FloatRun, agreement: Agreement, outcome: Outcome) -> Iterator[str]:
    """All figures, stream by stream."""
    yield closing_line(run, agreement, outcome)
    yield f"\ngates: relative error {MAX_ERROR:g}, cosine {MIN_COSINE:g}; of a stream {MAX_SATURATED:.1%}"
    yield f"saturated, {MAX_VANISHED:.0%} vanished (0, but more than 1/1024 of the vector's root mean square)"
    yield "\nblock, run, value: mean cosine of the tokens"
    for near in agreement.near:
        yield f"  {near.block} {near.run} {near.value}: {near.cosine:.5f}"
    yield "\nstream: values, saturated, vanished"
    for (block, value), counts in agreement.counts.items():
        yield f"  {block} {value}: {counts.values:,}, {counts.saturated:,}, {counts.vanished:,}"
    for (block, value), share in agreement.eps.items():
        yield f"\n{block} {value}: eps stands for another formula, {share:.3%} away"


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
    )
    parser.add_argument("--source", help="GGUF file or Hugging Face folder; synthetic without")
    parser.add_argument("--merge-lora", action="store_true", help="merge the matrices of LoRA modules")
    run_stage(parser, main)
