"""`stbuild explain-log`: what a log or report of Vitis says, whoever ran it."""

import argparse
from pathlib import Path

from stbuild.toolchain.vitis.describe import describe


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="logs of v++, vpl, HLS, Vivado, or reports")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Print, file by file, the first real error, what it means, and what to do."""
    for name in options.files:
        if len(options.files) > 1:
            print(f"{name}:")
        print("\n".join(describe(Path(name))))
    return 0
