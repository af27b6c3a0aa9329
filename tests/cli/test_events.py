"""Events are written as they happen, kept by age and size, and are what their schema says."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from stbuild.engine.record.history import BuildFiles, builds
from stbuild.engine.record.retention import Retention, sweep
from tests.conftest import WorkspaceFolder
from tests.engine.test_build import wait_for
from tests.events import SCHEMA, check_events


def records(workspace: WorkspaceFolder) -> list[BuildFiles]:
    """The builds that are kept."""
    return builds(workspace.root / "stbuild-out/.stbuild")


def rows(workspace: WorkspaceFolder, *more: str) -> list[dict[str, Any]]:
    """What `stbuild log --json` tells."""
    found: list[dict[str, Any]] = json.loads(workspace.ok("log", "--json", *more).out)
    return found


def test_events_of_builds_of_every_sort_are_in_the_schema(workspace: WorkspaceFolder) -> None:
    workspace.write("pyproject.toml", "[tool.stbuild]\nresources = { vitis = 1 }\n")
    quick = "cmd: 'sleep 0.1; touch $@', resources: {vitis: 1}"
    workspace.build_file(
        "p",
        *(f"genrule: {{name: g{i}, outs: [g{i}], {quick}}}" for i in range(2)),
        "sh_test: {name: flaky, srcs: [':g0'], cmd: 'exit 1', retries: 1}",
    )
    workspace.ok("p:all", "--keep-dirs")
    workspace.ok("clean")
    workspace.ok("p:all")
    workspace.run("test", "p:flaky")
    workspace.build_file("p", "genrule: {name: a, outs: [a], cmd: 'touch $@', resources: {questa: 1}}")
    workspace.fails("p:a")
    seen: set[str] = set()
    for each in records(workspace):
        seen |= check_events(each.read())
    told_elsewhere = {"warning", "template_expanded", "action_clean", "build_stopped"}
    assert seen == set(SCHEMA["$defs"]) - {"time"} - told_elsewhere


def test_an_event_that_the_schema_does_not_know_is_refused() -> None:
    event = {"event": "warning", "time": 1.0, "message": "x"}
    jsonschema.validate(event, SCHEMA)
    for wrong in ({**event, "event": "wraning"}, {**event, "more": 1}, {"event": "warning", "time": 1.0}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)


@pytest.fixture
def slow(workspace: WorkspaceFolder) -> Path:
    """A workspace whose target `p:b` leaves a mark and then takes a minute."""
    mark = workspace.root / "mark"
    workspace.build_file("p", f"genrule: {{name: b, outs: [b], cmd: 'touch {mark}; sleep 60; touch $@'}}")
    return mark


def test_a_running_build_is_shown_as_running(workspace: WorkspaceFolder, slow: Path) -> None:
    process = workspace.start("p:b", "--sandbox=off")
    wait_for(slow)
    (running,) = rows(workspace)
    assert (running["ended"], running["argv"]) == ("running", "p:b --sandbox=off")
    assert running["pid"] == process.pid
    assert abs(running["time"] - time.time()) < 30
    assert 0 < running["seconds"] < 30
    assert " running " in workspace.ok("log").out
    assert [event["event"] for event in workspace.events()] == ["command", "build_started", "action_started"]
    process.kill()
    process.communicate(timeout=30)
    assert rows(workspace)[0]["ended"] == "killed"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_says_so(workspace: WorkspaceFolder, slow: Path, number: int) -> None:
    process = workspace.start("p:b", "--sandbox=off")
    wait_for(slow)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert check_events(workspace.events()) >= {"build_stopped"}
    assert workspace.events()[-1]["reason"] == "interrupted"
    assert rows(workspace)[0]["ended"] == "interrupted"


def test_runs_push_no_build_out(workspace: WorkspaceFolder) -> None:
    workspace.write("p/say.sh", "#!/bin/sh\necho hello\n").chmod(0o755)
    workspace.write(
        "rules/tool.py",
        "from dataclasses import dataclass\nfrom stbuild.api import Context, File, FilesInfo, rule\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Tool:\n    src: File\n\n"
        "@rule\ndef tool(ctx: Context[Tool]) -> FilesInfo:\n    out = ctx.output('t')\n"
        "    ctx.run('Copy', ('cp', ctx.attrs.src, out))\n    ctx.runnable(('cat', out))\n"
        "    return FilesInfo(files=(out,))\n",
    )
    workspace.build_file("p", "tool: {name: t, src: say.sh}")
    for _ in range(3):
        assert "echo hello" in workspace.ok("run", "p:t").out
    (row,) = rows(workspace)
    assert (row["origin"], row["ran"], row["runs"]) == ("run", 1, 2)
    assert "then 2 runs with nothing to build" in workspace.ok("log").out
    assert workspace.events()[-1]["event"] == "build_finished"
    workspace.ok("p:t")
    assert [row["number"] for row in rows(workspace)] == [1, 2]


def test_more_than_twenty_builds_are_kept(workspace: WorkspaceFolder) -> None:
    for number in range(23):
        workspace.build_file("p", f"genrule: {{name: a, outs: [a], cmd: ': {number}; touch $@'}}")
        workspace.ok("p:a")
    assert len(records(workspace)) == 23
    assert len(rows(workspace)) == 20
    assert len(rows(workspace, "--last", "0")) == 23


def made(folder: Path, number: int, *, days: float, size: int = 10) -> BuildFiles:
    """The files of a build of some days ago."""
    files = BuildFiles(number=number, folder=folder)
    for path in files.paths:
        path.write_bytes(b"x" * size)
        os.utime(path, (then := time.time() - days * 86_400, then))
    return files


def test_builds_are_kept_by_age(tmp_path: Path) -> None:
    known = [made(tmp_path, number, days=days) for number, days in enumerate((100, 91, 89, 1))]
    sweep(known, Retention(days=90, megabytes=1))
    assert [files.events.exists() for files in known] == [False, False, True, True]
    assert len(list(tmp_path.glob("*.json"))) == 4


def test_builds_are_kept_by_size_the_last_in_any_case(tmp_path: Path) -> None:
    known = [made(tmp_path, number, days=1, size=100_000) for number in range(4)]
    sweep(known, Retention(days=90, megabytes=0.65))
    assert [files.events.exists() for files in known] == [False, False, True, True]
    (tmp_path / ".swept").unlink()
    sweep(known[2:], Retention(days=90, megabytes=0.1))
    assert [files.events.exists() for files in known] == [False, False, False, True]


def test_a_limit_that_makes_no_sense_is_refused(workspace: WorkspaceFolder) -> None:
    workspace.write("pyproject.toml", "[tool.stbuild]\nlog_days = -1\n")
    assert "[tool.stbuild] log_days takes a number above 0, got -1" in workspace.fails("//...")
    assert "takes a number of builds, got '-1'" in workspace.fails("log", "--last=-1")


def test_events_and_json_for_a_program(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    workspace.build_file("p", "genrule: {name: a, outs: [a], cmd: 'touch $@'}")
    file = tmp_path / "events.ndjson"
    for ran in (1, 0):
        found = json.loads(workspace.ok("p:a", "--json", "--events", str(file)).out)
        assert (found["ended"], found["ran"], found["failures"]) == ("done", ran, [])
        assert found["targets"]["//p:a"]["files"] == [str(workspace.output("p/a"))]
        events = [json.loads(line) for line in file.read_text().splitlines()]
        assert {"command", "build_finished"} <= check_events(events)
    workspace.build_file("p", "genrule: {name: a, outs: [a], cmd: 'echo no; exit 3'}")
    failed = json.loads(workspace.run("p:a", "--json").out)
    assert failed["ended"] == "failed"
    assert failed["failures"][0]["label"] == "//p:a"
    assert "--events: the folder" in workspace.fails("p:a", "--events", f"{tmp_path}/no/x")
