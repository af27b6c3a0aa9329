"""From a project's model file to the tensor graph and its position tables."""

import json
from argparse import Namespace
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.frontend.model_source import check_source
from stbuild.ir import serde
from stbuild.ir.graph import Graph
from stbuild.ir.printer import graph_text
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Trace a decode step and a prefill, check that they are one graph, and write it."""
    check_source(Path(args.model))
    from stbuild.frontend.context import check_context  # Late: these import torch, which takes seconds.
    from stbuild.frontend.model_file import load_model
    from stbuild.frontend.side_by_side import checked_graph
    from stbuild.frontend.tables import write_tables

    loaded, context = load_model(Path(args.model), lora_merged=args.merge_lora), int(args.context)
    try:
        check_context(loaded.module, context)
        traced = checked_graph(loaded.module, name=args.name, context=context, merged=loaded.merged)
    except StbuildError as error:
        error.where = error.where or args.model
        raise
    serde.write(Path(args.graph), traced.graph)
    write_tables(Path(args.tables), traced.tables)
    Path(args.names).write_text(json.dumps(dict(sorted(loaded.weight_names.items())), indent=1) + "\n")
    Path(args.lines).write_text(json.dumps(source_lines(traced.graph), indent=1, sort_keys=True) + "\n")
    Path(args.text).write_text(graph_text(traced.graph))


def source_lines(graph: Graph) -> dict[str, str]:
    """The model's source line of each op, by block and value."""
    return {f"{block.name}/{op.name}": op.line for block in graph.blocks for op in block.ops if op.line}


if __name__ == "__main__":
    parser = stage_parser(
        "Trace a model.",
        model="file that defines model()",
        context="positions of the KV cache",
        name="the model's name",
        graph="tensor graph to write",
        tables="position tables to write",
        names="checkpoint names to write",
        lines="source lines to write",
        text="the graph in words",
    )
    parser.add_argument("--merge-lora", action="store_true", help="merge the matrices of LoRA modules")
    run_stage(parser, main)
