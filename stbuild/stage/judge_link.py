"""Judges what a link reported, apart from the link: negative slack fails although v++ calls it a success."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from stbuild.package import schema
from stbuild.package.link_report import LinkReport
from stbuild.stage.entry import run_stage, stage_parser
from stbuild.toolchain.vitis.judge_link import Demands, judge_link


def main(args: Namespace) -> None:
    """Write the report as data and in words."""
    params = json.loads(Path(args.params).read_text())
    demands = Demands(target=params["target"], slack_ns=params["slack_ns"], timed=params["timed"])
    kernels = json.loads(Path(args.kernels).read_text()) if args.kernels else []
    missed = tuple(each["sentence"] for kernel in kernels for each in kernel["missed"])
    found = judge_link(Path(args.reports), Path(args.cfg).read_text(), demands, missed)
    Path(args.report).write_text(schema.to_json(found))
    text = "\n".join(_lines(found)) + "\n"
    Path(args.text).write_text(text)
    Path(args.summary).write_text(json.dumps({"check": found.line}, indent=1) + "\n")
    sys.stdout.write(text)


def _lines(found: LinkReport) -> list[str]:
    places = [use.place_line for use in found.places]
    return [f"{found.tool}, target {found.target}", found.line, *places, *found.missed]


if __name__ == "__main__":
    parser = stage_parser(
        "Judge what a link reported.",
        reports="folder of reports",
        cfg="the linker's configuration",
        params="target and demands",
        report="report as data to write",
        text="report in words to write",
        summary="closing line to write",
    )
    parser.add_argument("--kernels", help="what HLS reported of the kernels")
    run_stage(parser, main)
