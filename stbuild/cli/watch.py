"""`--watch`: do it again whenever a file that mattered has changed, until Ctrl-C."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stbuild import layout
from stbuild.engine.graph.artifact import Origin
from stbuild.engine.keys.tracker import Signature, signature
from stbuild.engine.load.steps import PLUGIN_MODULES
from stbuild.engine.session import Session, own_sources
from stbuild.errors import StbuildError

Seen = dict[str, Signature]
"""The files and folders that mattered, each with its signature from before it was read."""

WATCH = "--watch"
_POLL_S = 0.2
_SETTLE_S = 0.1
_SHARE = 20
"""Looking takes at most one part in so many of the time."""
_SHOWN = 3


def command_words() -> list[str]:
    """The command line without `--watch`: what is remembered under it serves both."""
    return [word for word in sys.argv[1:] if word != WATCH]


def watch(root: Path, once: Callable[[], Seen]) -> int:
    """Call `once` at the start and after every change; only an interrupt ends it."""
    gc.enable()
    seen: Seen = {}
    while True:
        try:
            seen = once()
        except StbuildError as error:
            print(f"error: {error}", file=sys.stderr)
            seen = {**signed(seen), **signed(map(str, graph_files(root)))}
        sys.stdout.flush()
        print(f"watching {len(seen)} files and folders; Ctrl-C ends", file=sys.stderr, flush=True)
        changed = wait_for_change(seen)
        if not set(changed).isdisjoint((*map(str, own_sources()), *imported_sources())):
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        print(f"changed: {_shown(changed, root)}", file=sys.stderr, flush=True)


def files_of(opened: Session) -> Seen:
    """All that a request depends on: what was looked at, and sources that a failure kept from being read."""
    seen = dict(opened.tracker.paths)
    for node in opened.graph.needed(opened.roots()):
        for file in node.producer_inputs:
            path = opened.evaluator.real(file) if file.origin in _ON_DISK else ""
            if path and path not in seen:
                seen[path] = signature(path)
    return seen


def imported_sources() -> Iterator[str]:
    """The modules of this process that analysis does not load anew, such as the steps of a plugin."""
    for name, module in list(sys.modules.items()):
        if not name.startswith(PLUGIN_MODULES) and (path := getattr(module, "__file__", None)):
            yield path


def signed(paths: Iterable[str]) -> Seen:
    """Paths with their signatures as they are now."""
    return {path: signature(path) for path in paths}


def graph_files(root: Path) -> list[Path]:
    """The files of a workspace that can be wrong before anything is built."""
    found = [root / "pyproject.toml"]
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != layout.OUT_DIR)
        plugins = Path(place).name in layout.PLUGIN_KINDS
        found += [Path(place, name) for name in names if name == layout.BUILD_FILE or plugins]
    return found


def wait_for_change(seen: Mapping[str, Signature]) -> list[str]:
    """The files that have changed; waits for the first, and then until no more follow."""
    changed: list[str] = []
    while True:
        began = time.monotonic()
        now = [path for path, sig in seen.items() if signature(path) != sig]
        if now and now == changed:
            return now
        changed = now
        spent = time.monotonic() - began
        time.sleep(_SETTLE_S if now else max(_POLL_S, spent * _SHARE))


_ON_DISK = (Origin.SOURCE, Origin.EXTERNAL)


def _shown(changed: list[str], root: Path) -> str:
    files = [path for path in changed if not Path(path).is_dir()] or changed
    names = [os.path.relpath(path, root) if path.startswith(f"{root}/") else path for path in files[:_SHOWN]]
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return ", ".join(names) + more
