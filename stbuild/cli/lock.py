"""`stbuild lock`: write down the versions of tools in stbuild.lock, so that another one is refused."""

import argparse
import json

from stbuild import layout
from stbuild.cli.request import open_workspace
from stbuild.engine.keys.search import search_path
from stbuild.engine.keys.tools import ToolBox


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("tools", nargs="+", metavar="TOOL", help="programs on PATH, for example g++")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Ask each tool and write what it says."""
    workspace = open_workspace()
    root, cache = workspace.root, workspace.cache or layout.default_cache_dir()
    box = ToolBox(lambda _: None, lambda _, __: None, {}, search_path(root, [cache]))
    versions = {name: box.tool(name).version for name in sorted(options.tools)}
    path = root / layout.LOCK_FILE
    path.write_text(json.dumps({"tools": versions}, indent=2) + "\n")
    if options.json:
        print(json.dumps(versions, indent=2))
        return 0
    for name, version in versions.items():
        print(f"{name}: {version}")
    return 0
