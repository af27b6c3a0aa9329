"""`stbuild platforms`: the cards that can be built for."""

import argparse
import json

from stbuild.cli.request import open_workspace
from stbuild.engine.plugins import PluginIndex
from stbuild.engine.tracker import Tracker


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """List every platform with its part and the file that defines it."""
    workspace = open_workspace()
    index = PluginIndex(workspace.root, Tracker())
    rows = []
    for plugin in index.plugins("platforms"):
        value = index.platform(plugin.name)
        part = str(getattr(value, "part", ""))
        rows.append({"name": plugin.name, "part": part, "origin": plugin.origin, "file": str(plugin.path)})
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        chosen = " (default)" if row["name"] == workspace.platform else ""
        print(f"{row['name']:10} {row['part']:28} {row['origin']}{chosen}")
    return 0
