"""`stbuild cache`: how large the cache is, whether it is sound, and making it smaller."""

import argparse
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from msgspec import structs

from stbuild import layout
from stbuild.cli.request import cache_dir, open_workspace
from stbuild.engine.store.gc import sweep, usage
from stbuild.engine.store.lock import exclusive
from stbuild.engine.store.store import Store
from stbuild.engine.store.verify import verify
from stbuild.errors import StbuildError

_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_TIMES = {"h": 3600, "d": 86_400, "w": 604_800}


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "what",
        choices=("info", "gc", "verify"),
        help="info: its size; gc: make it smaller; verify: read it and stbuild-out, and drop damaged files",
    )
    parser.add_argument("--max-size", help="what gc leaves at most, for example 20G")
    parser.add_argument("--max-age", help="what gc drops when it was not used for so long, for example 30d")
    parser.add_argument("--cache-dir", help="the cache (default: the workspace's)")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Look at the cache, or sweep it."""
    root = cache_dir(options) or open_workspace().cache or layout.default_cache_dir()
    match options.what:
        case "info":
            row, text = _info(root)
        case "verify":
            row, text = _verify(root)
        case _:
            row, text = _sweep(root, options)
    print(json.dumps({"cache": str(root), **row}, indent=2) if options.json else text)
    return 1 if row.get("damaged") or row.get("mended") else 0


def _info(root: Path) -> tuple[dict[str, Any], str]:
    found = usage(root)
    text = f"{root}: {found.records} results, {found.blobs} files, {_shown(found.bytes)}"
    return asdict(found), text


def _sweep(root: Path, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    if not options.max_size and not options.max_age:
        raise StbuildError(
            "gc needs --max-size or --max-age", hint="for example `stbuild cache gc --max-size 20G`"
        )
    store = Store(root, lambda message: print(f"warning: {message}", file=sys.stderr))
    swept = sweep(root, store, max_bytes=_size(options.max_size), max_age_s=_age(options.max_age))
    left = usage(root)
    removed = f"removed {swept.records} results and {swept.blobs} files, {_shown(swept.bytes)}"
    young = max(0, left.bytes - swept.kept_bytes)
    waits = f" ({_shown(young)} too young to tell whether a build needs them)" if young else ""
    row = {
        "removed": {"records": swept.records, "blobs": swept.blobs, "bytes": swept.bytes},
        "left": asdict(left),
    }
    return row, f"{removed}; {_shown(left.bytes)} left{waits}"


def _verify(root: Path) -> tuple[dict[str, Any], str]:
    workspace = _workspace_root()
    if workspace is None or not layout.state_dir(workspace).is_dir():
        found = verify(root, None)
    else:
        with exclusive(layout.state_dir(workspace) / "lock", _tell_waiting):
            found = verify(root, workspace)
    lines = [f"damaged: {name}" for name in found.damaged]
    lines += [f"mode or time put right: {name}" for name in found.mended]
    end = f"{len(found.damaged)} damaged files removed, {len(found.mended)} put right"
    if not lines:
        end = "every file is sound"
    return structs.asdict(found), "\n".join([*lines, end])


def _workspace_root() -> Path | None:
    """The workspace that we stand in; a cache can be verified from anywhere."""
    try:
        return open_workspace().root
    except StbuildError:
        return None


def _tell_waiting(pid: str) -> None:
    print(f"another stbuild (process {pid}) builds here; waiting", file=sys.stderr)


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.upper())
    if match is None:
        raise StbuildError(f"--max-size takes a size such as 500M or 20G, got {text!r}")
    return int(float(match[1]) * _SIZES[match[2]])


def _age(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)([hdw])", text.lower())
    if match is None:
        raise StbuildError(f"--max-age takes hours, days or weeks such as 12h, 30d or 8w, got {text!r}")
    return float(int(match[1]) * _TIMES[match[2]])


def _shown(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
