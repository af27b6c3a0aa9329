"""`stbuild query`."""

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""


def execute(options: argparse.Namespace) -> int:
    """Not there yet."""
    raise NotImplementedError
