"""Runs the reference, teacher-forced over a device's tokens, and records the same digests."""

from argparse import Namespace
from pathlib import Path

from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.frontend.tables import read_tables
from stbuild.ir import serde
from stbuild.ir.graph import Graph
from stbuild.ops.files import read_graph
from stbuild.reference.interpreter import OUTPUTS, Outcome, Reference
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.stage.record import PromptTokens, Record, SmokeTokens, digest, hidden_key, record_path


def main(args: Namespace) -> None:
    """Write the record that each prompt of the run should have."""
    graph = read_graph(Path(args.graph))
    weights = open_checkpoint(graph, args.source, Path(args.options))
    reference = Reference(graph=graph, weights=weights, tables=read_tables(Path(args.tables)))
    out = Path(args.expected)
    out.mkdir(parents=True, exist_ok=True)
    for number, seen in enumerate(serde.read(SmokeTokens, Path(args.tokens)).prompts):
        serde.write(record_path(out, number), expected_record(reference, seen))


def expected_record(reference: Reference, seen: PromptTokens) -> Record:
    """What the reference says to the tokens of `seen`, all taken in at once."""
    tokens = (*seen.prompt, *seen.tokens[:-1])
    outcome = reference.run(tokens, keep=(OUTPUTS,), all_logits=True)
    logits = outcome.logits[len(seen.prompt) - 1 :]
    return Record(
        prompt=seen.prompt,
        tokens=tuple(int(t) for t in logits.argmax(dim=1)),
        hidden=_hidden(reference.graph, outcome),
        logits=tuple(digest(row.numpy()) for row in logits),
    )


def _hidden(graph: Graph, outcome: Outcome) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Digests [run][token] of what leaves the runs of looping blocks."""
    return {
        hidden_key(block.name, slot): tuple(
            tuple(digest(v.numpy()) for v in outcome.kept[(block.name, run, output)])
            for run in range(block.count)
        )
        for block in graph.blocks
        if block.count > 1
        for slot, output in enumerate(block.outputs)
    }


if __name__ == "__main__":
    parser = stage_parser(
        "Run the reference over a device's tokens.",
        graph="the graph in fixed point",
        tables="position tables",
        options="quantisation and seed",
        tokens="prompts and tokens of the device",
        expected="folder for the expected records",
    )
    parser.add_argument(
        "--source", help="GGUF file or Hugging Face folder; without it, weights are synthetic"
    )
    run_stage(parser, main)
