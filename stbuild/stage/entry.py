"""How every stage starts: its command line, and a user's mistake as one line."""

import gc
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stbuild.errors import StbuildError

_EXTERNAL = "in/external/"


def run_stage(parser: ArgumentParser, main: Callable[[Namespace], None]) -> None:
    """Parse the arguments, run `main`, and end with `error: sentence` and status 1 on a StbuildError."""
    try:
        main(parser.parse_args())
    except StbuildError as error:
        error.where = _at_home(error.where)
        sys.exit(f"error: {error}")


@contextmanager
def uncollected() -> Iterator[None]:
    """Imports of large libraries are a fifth quicker while the garbage collector does not look at them."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def stage_parser(about: str, **paths: str) -> ArgumentParser:
    """A parser with one required path option per keyword: its name and what it is."""
    parser = ArgumentParser(description=about)
    for name, meaning in paths.items():
        parser.add_argument(f"--{name.replace('_', '-')}", required=True, help=meaning)
    return parser


def _at_home(where: str | None) -> str | None:
    """A place in a file from outside the workspace, which is linked below `in/external`, by its own path."""
    if where is None or not where.startswith(_EXTERNAL):
        return where
    name, slash, below = where.removeprefix(_EXTERNAL).partition("/")
    return os.path.realpath(_EXTERNAL + name) + slash + below
