"""`stbuild report`: the nights as one HTML page."""

import argparse
from pathlib import Path

from stbuild.cli.request import open_workspace
from stbuild.errors import StbuildError
from stbuild.report.page import FILE, write_page


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.epilog = "`stbuild nightly` writes the same page at its end; see docs/nightly.md"
    parser.add_argument(
        "results", nargs="?", help="the folder of the nights (default: nightly-results of the workspace)"
    )
    parser.add_argument(
        "--out", metavar="FILE", help=f"where the page is written (default: {FILE} in that folder)"
    )


def execute(options: argparse.Namespace) -> int:
    """Write the page and print where it is."""
    root = open_workspace().root
    results = Path(options.results) if options.results else root / "nightly-results"
    out = Path(options.out) if options.out else None
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise StbuildError(f"--out: {out} cannot be a file there", hint="name a file in a folder that exists")
    print(write_page(results, root, out))
    return 0
