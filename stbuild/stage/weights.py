"""From a checkpoint to its index and its tokenizer's files; values are read when they are packed."""

import json
from argparse import Namespace
from pathlib import Path

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.frontend.tables import read_tables
from stbuild.frontend.tokenizer_files import write_tokenizer
from stbuild.frontend.weights import index_of
from stbuild.ir import serde
from stbuild.ops.files import read_graph
from stbuild.package.bundle import TOKENIZER
from stbuild.runtime.text import read_text_side
from stbuild.runtime.tokenizer import stop_tokens
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Write the index, the options with the checkpoint's names, and the tokenizer."""
    graph = read_graph(Path(args.graph))
    options = json.loads(Path(args.wanted).read_text()) | {"names": json.loads(Path(args.names).read_text())}
    Path(args.options).write_text(json.dumps(options, indent=1, sort_keys=True) + "\n")
    tables = read_tables(Path(args.tables))
    checkpoint = open_checkpoint(graph, args.source, Path(args.options), tables)
    serde.write(Path(args.index), index_of(graph, checkpoint))
    tokenizer = Path(args.tokenizer)
    tokenizer.mkdir(parents=True, exist_ok=True)
    if args.source:
        write_tokenizer(Path(args.source), tokenizer)
        check_tokenizer(tokenizer, Path(args.source))


def check_tokenizer(folder: Path, source: Path) -> None:
    """Refuse files in `folder` that a runtime could not use, by the name that they have in `source`."""
    try:
        if (folder / TOKENIZER).is_file():
            read_text_side(folder)
        stop_tokens(folder)
    except StbuildError as error:
        name = Path(error.where or "").name
        error.where = str(source / name if source.is_dir() else source)
        raise


if __name__ == "__main__":
    parser = stage_parser(
        "Read a checkpoint's index.",
        graph="the tensor graph",
        tables="position tables",
        wanted="quantisation and seed",
        names="checkpoint names that differ from the model's",
        index="index to write",
        options="options to write",
        tokenizer="folder for the tokenizer's files",
    )
    parser.add_argument(
        "--source", help="GGUF file or Hugging Face folder; without it, weights are synthetic"
    )
    run_stage(parser, main)
