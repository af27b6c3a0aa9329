"""Measures the arithmetic on English text: the reference against the model itself in float32."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.frontend.derived_weights import known_uses
from stbuild.frontend.model_file import load_real_model
from stbuild.frontend.tables import read_tables
from stbuild.frontend.weights import Checkpoint, uses_of
from stbuild.ir import serde
from stbuild.ir.graph import Embed, Graph
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.accuracy import Accuracy, Logits, measure
from stbuild.reference.interpreter import Reference
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Write and print the report; fail if a gate is missed."""
    graph = serde.read(Graph, Path(args.graph))
    weights = open_checkpoint(graph, args.source, Path(args.options))
    if weights.synthetic:
        raise StbuildError("accuracy is measured on real weights, and these are synthetic",
                           hint="give the project weights")  # fmt: skip
    exact = Reference(graph=FixNumerics()(graph), weights=weights, tables=read_tables(Path(args.tables)))
    module = filled(load_real_model(Path(args.model), lora_merged=args.merge_lora), graph, weights)
    tokens = english_tokens(Path(args.tokenizer), int(args.tokens))
    found = measure(exact_logits(exact), float_logits(module), tokens, min(int(args.window), graph.context))
    text = report(found, weights.source)
    Path(args.report).write_text(text)
    Path(args.summary).write_text(json.dumps({"check": found.line()}, indent=1) + "\n")
    sys.stdout.write(text)
    if not found.holds:
        raise StbuildError(
            "the integer results differ from float32 by more than the limits", where=args.report
        )


def english_tokens(folder: Path, count: int) -> tuple[int, ...]:
    """The first `count` tokens of the Python documentation that every interpreter carries."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise StbuildError(
            "the weights come without a tokenizer, so no text can be scored", where=str(folder)
        )
    text = "\n".join(topics[name] for name in sorted(topics))
    ids = Tokenizer.from_file(str(path)).encode(text[: 8 * count], add_special_tokens=False).ids
    return tuple(ids[:count])


def filled(module: nn.Module, graph: Graph, weights: Checkpoint) -> nn.Module:
    """`module` with the numbers that the card has: matrices as they are once packed."""
    uses = known_uses(uses_of(graph), graph.derived).matrices
    gathered = {name for block in graph.blocks for op in block.ops if isinstance(op, Embed)
                for name in op.table.names}  # fmt: skip
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name in uses and name not in gathered:
                values = weights.matrix(name).dequantise()
                values = values.T if uses[name].transposed else values
            else:
                values = weights.array(name)
            parameter.copy_(torch.from_numpy(values))
    return module


def exact_logits(reference: Reference) -> Logits:
    """The reference's logits as floats."""
    return lambda tokens: reference.run(tokens, all_logits=True).logits.double() / 2**16


def float_logits(module: nn.Module) -> Logits:
    """The model's logits."""

    def logits(tokens: Sequence[int]) -> Tensor:
        with torch.no_grad():
            result = module(torch.tensor([tokens]))
        found: Tensor = getattr(result, "logits", result)[0]
        return found

    return logits


def report(found: Accuracy, source: str) -> str:
    """The figures and what they are."""
    return (
        f"{found.report()}\n\nMeasured on {source}, teacher-forced on English (Python's documentation),\n"
        "stbuild's integers against the model in float32 with the same weights.\n"
    )


if __name__ == "__main__":
    parser = stage_parser(
        "Measure the arithmetic against float32.",
        graph="the tensor graph as traced",
        tables="position tables",
        options="quantisation and seed",
        model="file that defines model()",
        tokenizer="folder with tokenizer.json",
        tokens="how many tokens",
        window="tokens that are scored together",
        report="report to write",
        summary="closing lines to write",
    )
    parser.add_argument(
        "--source", help="GGUF file or Hugging Face folder; without it, weights are synthetic"
    )
    parser.add_argument("--merge-lora", action="store_true", help="merge the matrices of LoRA modules")
    run_stage(parser, main)
