"""`stbuild diff`: which keys differ between two builds, and by which of their parts."""

import argparse
import json

from stbuild import layout
from stbuild.cli.log import pick
from stbuild.cli.request import open_workspace
from stbuild.engine.execution.explain import texts
from stbuild.engine.keys.changes import changes
from stbuild.engine.record.history import builds
from stbuild.engine.store.lock import exclusive
from stbuild.engine.store.state import State
from stbuild.errors import StbuildError


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("old", nargs="?", type=int, default=-2, help="a build (default: the last but one)")
    parser.add_argument("new", nargs="?", type=int, default=-1, help="another's (default: the last)")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Compare the keys of every action."""
    root = open_workspace().root
    state = layout.state_dir(root)
    known = builds(state)
    if len(known) < 2:
        raise StbuildError("there are no two builds to compare", hint="stbuild log")
    old, new = pick(known, options.old).read_keys(), pick(known, options.new).read_keys()
    with exclusive(state / "lock", lambda _: None):
        memory = State(state)
        rows = [_compare(memory, name, old.get(name), new.get(name)) for name in sorted({*old, *new})]
        memory.close()
    rows = [row for row in rows if row["change"] != "same"]
    print(
        json.dumps(rows, indent=2) if options.json else "\n".join(map(_text, rows)) or "the keys are the same"
    )
    return 0


def _compare(memory: State, name: str, old: str | None, new: str | None) -> dict[str, object]:
    if old == new:
        return {"id": name, "change": "same"}
    if old is None or new is None:
        return {"id": name, "change": "only in the new build" if old is None else "only in the old build"}
    before, after = memory.parts_of(old), memory.parts_of(new)
    if before is None or after is None:
        return {"id": name, "change": "differs", "parts": []}
    recall = texts(memory)
    return {
        "id": name,
        "change": "differs",
        "parts": changes(json.loads(before), json.loads(after), recall=recall),
    }


def _text(row: dict[str, object]) -> str:
    lines = [f"{row['id']} {row['change']}"]
    parts = row.get("parts")
    for what, old, new in parts if isinstance(parts, list) else []:
        lines.append(f"    {what}: {old} -> {new}")
    return "\n".join(lines)
