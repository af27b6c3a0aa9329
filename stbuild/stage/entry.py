"""How every stage starts: its command line, and a user's mistake as one line."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from stbuild.errors import StbuildError


def run_stage(parser: ArgumentParser, main: Callable[[Namespace], None]) -> None:
    """Parse the arguments, run `main`, and end with `error: sentence` and status 1 on a StbuildError."""
    try:
        main(parser.parse_args())
    except StbuildError as error:
        sys.exit(f"error: {error}")


def stage_parser(about: str, **paths: str) -> ArgumentParser:
    """A parser with one required path option per keyword: its name and what it is."""
    parser = ArgumentParser(description=about)
    for name, meaning in paths.items():
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, help=meaning)
    return parser
