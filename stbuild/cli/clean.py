"""`stbuild clean`: remove what was built; results stay in the cache, so a new build is quick."""

import argparse

from stbuild import layout
from stbuild.cli.request import open_workspace
from stbuild.cli.test import LOGS
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.plugins import PluginIndex
from stbuild.engine.store.files import remove
from stbuild.engine.store.lock import exclusive
from stbuild.engine.store.state import State


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Remove every configuration's outputs and forget them."""
    root = open_workspace().root
    out, state = layout.out_dir(root), layout.state_dir(root)
    targets = PluginIndex(root, Tracker()).names("targets")
    if not out.is_dir():
        print("done: nothing was built")
        return 0
    with exclusive(
        state / "lock", lambda pid: print(f"another stbuild (process {pid}) builds here; waiting")
    ):
        for path in sorted(out.iterdir()):
            if path != state and (not out.is_symlink() or _is_built(path.name, targets)):
                remove(str(path))
        for name in ("work", "logs"):
            remove(str(state / name))
        memory = State(state)
        memory.forget()
        memory.close()
    print(f"done: {out.relative_to(root)} is empty, the cache is as it was")
    return 0


def _is_built(name: str, targets: list[str]) -> bool:
    """Whether a build makes a folder of this name; where stbuild-out is a link, others lie beside it."""
    return name == LOGS or any(name.endswith(f"-{target}") for target in targets)
