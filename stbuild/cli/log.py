"""`stbuild log`: the last builds, what each of their actions cost, and what the cache saved."""

import argparse
import json
import math
import time
from textwrap import shorten
from typing import Any

from stbuild import layout
from stbuild.cli.request import open_workspace
from stbuild.console import seconds
from stbuild.engine.record.history import BuildFiles, builds, noops, runs
from stbuild.errors import StbuildError, shortened

_ARGV = 160
"""Letters of a command line that are shown."""


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("number", nargs="?", type=int, help="a build, for its actions (-1 is the last)")
    parser.add_argument("--last", type=_number, default=20, metavar="N", help="so many builds (20; 0: all)")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """List builds, or the actions of one."""
    state = layout.state_dir(open_workspace().root)
    known = builds(state)
    if options.number is None:
        rows = [summary(each) for each in known[-options.last :]]
        _count(rows, "noops", noops(state))
        _count(rows, "runs", runs(state))
        print(json.dumps(rows, indent=2) if options.json else "\n".join(map(_row, rows)) or "no build yet")
        return 0
    chosen = pick(known, options.number)
    events = chosen.read()
    if options.json:
        print(json.dumps({**summary(chosen), "actions": list(map(_shown, costs(events)))}, indent=2))
        return 0
    print(_row(summary(chosen)))
    print("\n".join(map(_action, costs(events))))
    print(f"  events: {chosen.events}\n  trace:  {chosen.trace} (for https://ui.perfetto.dev)")
    return 0


def _number(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"takes a number of builds, got {text!r}")


def _count(rows: list[dict[str, Any]], name: str, times: list[float]) -> None:
    """Put into each row how many of `times` lie before the next build."""
    began = [row.get("time", 0.0) for row in rows]
    for row, since, until in zip(rows, began, (*began, math.inf)[1:], strict=True):
        row[name] = sum(since <= time < until for time in times)


def costs(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How each action ended, the dearest first: what ran by what it took, then hits by what they saved."""
    order = {"action_failed": 0, "action_finished": 0, "action_cached": 1}
    ended = [event for event in events if event["event"] in order]
    return sorted(ended, key=lambda event: (order[event["event"]], -_price(event), event["id"]))


def _price(event: dict[str, Any]) -> float:
    return float(event["saved_s" if event["event"] == "action_cached" else "seconds"])


def _shown(event: dict[str, Any]) -> dict[str, Any]:
    ended = event["event"].removeprefix("action_")
    kept = {key: value for key, value in event.items() if key not in ("event", "time")}
    return {"ended": ended, **kept}


def _action(event: dict[str, Any]) -> str:
    name = f"{event['label']} {event['mnemonic']}"
    match event["event"]:
        case "action_cached":
            return f"  {'cached':>9}  {name} (saved {seconds(event['saved_s'])})"
        case "action_failed":
            return f"  {seconds(event['seconds']):>9}  {name}  FAILED: {event['reason']}"
    memory = event["peak_kb"] // 1000
    return f"  {seconds(event['seconds']):>9}  {name}" + (f"  {memory} MB" if memory >= 100 else "")


def pick(known: list[BuildFiles], number: int) -> BuildFiles:
    """The build of a number; a negative one counts from the last."""
    if number < 0 and len(known) >= -number:
        return known[number]
    for each in known:
        if each.number == number:
            return each
    numbers = shortened([str(each.number) for each in known]) or "none"
    raise StbuildError(f"no build {number}", hint=f"known: {numbers}")


def summary(build: BuildFiles) -> dict[str, Any]:
    """One build in a row."""
    row: dict[str, Any] = {
        "number": build.number,
        "argv": "",
        "ended": "running" if build.is_running else "killed",
        "saved_s": 0.0,
        "spent_s": 0.0,
    }
    ran, cached = 0, 0
    for event in build.read():
        row.setdefault("time", event["time"])
        match event["event"]:
            case "command":
                row.update({key: event[key] for key in ("argv", "origin", "pid") if key in event})
            case "action_cached":
                row["saved_s"] += event["saved_s"]
                cached += 1
            case "action_finished":
                row["spent_s"] += event["seconds"]
                ran += 1
            case "build_finished":
                row.update({key: event[key] for key in ("ran", "cached", "clean", "failed", "seconds")})
                row["ended"] = "failed" if event["failed"] else "done"
            case "build_refused":
                row["ended"] = "refused"
            case "build_stopped":
                row["ended"] = "interrupted" if event["reason"] == "interrupted" else "broken"
                row["reason"] = event["reason"]
    row.setdefault("ran", ran)
    row.setdefault("cached", cached)
    if row["ended"] == "running":
        row["seconds"] = round(time.time() - row.get("time", time.time()), 3)
    return row


def _row(row: dict[str, Any]) -> str:
    began = row.get("time")
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(began)) if began else "          begins"
    counts = f"{row['ran']} run, {row['cached'] + row.get('clean', 0)} cached"
    verb = "for" if row["ended"] == "running" else "in"
    took = f"{verb} {seconds(row['seconds'])}" if "seconds" in row else ""
    command = shorten(f"stbuild {row['argv']}", _ARGV, placeholder=" …")
    saved = f", {seconds(row['saved_s'])} saved" if row["saved_s"] >= 0.1 else ""
    noops = f"\n       then {row['noops']} times nothing to do" if row.get("noops") else ""
    noops += f"\n       then {row['runs']} runs with nothing to build" if row.get("runs") else ""
    return f"{row['number']:5}  {when}  {row['ended']:11} {counts} {took}{saved}  {command}{noops}"
