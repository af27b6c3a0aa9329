"""`stbuild platforms`: the cards that can be built for."""

import argparse
import json
import sys

from stbuild.cli.request import open_workspace
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.plugins import PluginIndex
from stbuild.errors import StbuildError


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """List every platform with its part and the file that defines it; then those that cannot be read."""
    workspace = open_workspace()
    index = PluginIndex(workspace.root, Tracker())
    rows, problems = [], []
    for plugin in index.plugins("platforms"):
        try:
            value = index.platform(plugin.name)
        except StbuildError as problem:
            problems.append(problem)
            continue
        part = str(getattr(value, "part", ""))
        rows.append({"name": plugin.name, "part": part, "origin": plugin.origin, "file": str(plugin.path)})
    if options.json:
        print(json.dumps(rows, indent=2))
    for row in [] if options.json else rows:
        chosen = " (default)" if row["name"] == workspace.platform else ""
        print(f"{row['name']:10} {row['part']:28} {row['origin']}{chosen}")
    for each in problems:
        print(f"error: {each}", file=sys.stderr)
    return 2 if problems else 0
