"""Takes the place of the float check of a module that was exported by the process that had it."""

import json
from argparse import Namespace
from pathlib import Path

from stbuild.stage.entry import run_stage, stage_parser

LINE = "not compared: the module was exported, and only the process that made it could run it"


def main(args: Namespace) -> None:
    """Write a report and a closing line that say so."""
    Path(args.report).write_text(f"{LINE}\n")
    Path(args.summary).write_text(json.dumps({"floats": LINE}, indent=1) + "\n")
    Path(args.verdict).write_text("not compared\n")


if __name__ == "__main__":
    parser = stage_parser(
        "Say that a module was not compared.", report="report", summary="closing line", verdict="verdict"
    )
    run_stage(parser, main)
