"""`stbuild log`: the last builds, what each of their actions cost, and what the cache saved."""

import argparse
import json
import time
from typing import Any

from stbuild import layout
from stbuild.cli.request import open_workspace
from stbuild.console import seconds
from stbuild.engine.history import BuildFiles, builds
from stbuild.errors import StbuildError


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("number", nargs="?", type=int, help="a build, for its actions (-1 is the last)")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """List builds, or the actions of one."""
    known = builds(layout.state_dir(open_workspace().root))
    if options.number is None:
        rows = [summary(each) for each in known]
        print(json.dumps(rows, indent=2) if options.json else "\n".join(map(_row, rows)) or "no build yet")
        return 0
    chosen = pick(known, options.number)
    actions = [event for event in chosen.read() if event["event"] in ("action_finished", "action_failed")]
    actions.sort(key=lambda event: -event["seconds"])
    if options.json:
        print(json.dumps(actions, indent=2))
        return 0
    print(_row(summary(chosen)))
    for event in actions:
        word = "" if event["event"] == "action_finished" else "  FAILED"
        print(f"  {seconds(event['seconds']):>9}  {event['label']} {event['mnemonic']}{word}")
    print(f"  events: {chosen.events}\n  trace:  {chosen.trace}")
    return 0


def pick(known: list[BuildFiles], number: int) -> BuildFiles:
    """The build of a number; a negative one counts from the last."""
    if number < 0 and len(known) >= -number:
        return known[number]
    for each in known:
        if each.number == number:
            return each
    numbers = ", ".join(str(each.number) for each in known) or "none"
    raise StbuildError(f"no build {number}", hint=f"known: {numbers}")


def summary(build: BuildFiles) -> dict[str, Any]:
    """One build in a row."""
    row: dict[str, Any] = {
        "number": build.number,
        "argv": "",
        "ended": "killed",
        "saved_s": 0.0,
        "spent_s": 0.0,
    }
    for event in build.read():
        row.setdefault("time", event["time"])
        match event["event"]:
            case "command":
                row["argv"] = event["argv"]
            case "action_cached":
                row["saved_s"] += event["saved_s"]
            case "action_finished":
                row["spent_s"] += event["seconds"]
            case "build_finished":
                row.update({key: event[key] for key in ("ran", "cached", "clean", "failed", "seconds")})
                row["ended"] = "failed" if event["failed"] else "done"
    return row


def _row(row: dict[str, Any]) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.get("time", 0)))
    counts = f"{row.get('ran', 0)} run, {row.get('cached', 0) + row.get('clean', 0)} cached"
    took = f"in {seconds(row['seconds'])}" if "seconds" in row else ""
    saved = f", {seconds(row['saved_s'])} saved" if row["saved_s"] >= 0.1 else ""
    return f"{row['number']:5}  {when}  {row['ended']:7} {counts} {took}{saved}  stbuild {row['argv']}"
