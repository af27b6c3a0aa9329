"""Packs a checkpoint into the memory images that a design reads."""

from argparse import Namespace
from pathlib import Path

from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.frontend.tables import read_tables
from stbuild.ops.files import read_design
from stbuild.pack.files import RegionFiles
from stbuild.pack.images import write_memory
from stbuild.stage.entry import run_stage, stage_parser


def main(args: Namespace) -> None:
    """Write one file per constant region."""
    design = read_design(Path(args.design))
    weights = open_checkpoint(design, args.source, Path(args.options))
    with RegionFiles(Path(args.memory)) as files:
        write_memory(design, weights, read_tables(Path(args.tables)), files.append)


if __name__ == "__main__":
    parser = stage_parser(
        "Pack weights for a design.",
        design="the design",
        tables="position tables",
        options="quantisation and seed",
        memory="folder for the memory images",
    )
    parser.add_argument(
        "--source", help="GGUF file or Hugging Face folder; without it, weights are synthetic"
    )
    run_stage(parser, main)
