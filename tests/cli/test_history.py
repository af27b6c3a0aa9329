"""What a build leaves behind answers why something ran, what it cost, and what the cache saved."""

import json
from typing import Any

import pytest

from tests.cli.conftest import rule_file
from tests.conftest import WorkspaceFolder
from tests.engine.test_build import wait_for

UP = (
    "genrule: {name: up, srcs: [a.txt], outs: [up.txt], cmd: 'cat $< > $@', env: {MODE: one}, "
    "programs: [mytool]}"
)
DOWN = "genrule: {name: down, srcs: [':up'], outs: [down.txt], cmd: 'cat $< > $@; : one'}"
TOLD = (
    "return _make(ctx)\n\n\ndef _make(ctx: Context[Told]) -> FilesInfo:\n"
    "    out = ctx.output('t.json')\n"
    "    params = ctx.params('params.json', {'lanes': ctx.attrs.lanes, 'mode': 'fast'})\n"
    "    ctx.run('Told', ('cp', params, out))\n    return FilesInfo(files=(out,))"
)


def make_tool(workspace: WorkspaceFolder, version: str) -> None:
    """A program `mytool` on PATH that says its version."""
    tool = workspace.write("../bin/mytool", f"#!/bin/sh\necho mytool {version}\n").resolve()
    tool.chmod(0o755)
    workspace.env["PATH"] = f"{tool.parent}:/usr/bin:/bin"


@pytest.fixture
def two(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """Two rules in a row, built."""
    make_tool(workspace, "1.0")
    workspace.write("p/a.txt", "a\n")
    workspace.build_file("p", UP, DOWN)
    workspace.ok("p:all")
    return workspace


def ahead(workspace: WorkspaceFolder, label: str) -> dict[str, dict[str, Any]]:
    """What `explain` says would happen, by label."""
    rows = json.loads(workspace.ok("explain", label, "--json").out)["next"]
    return {row["label"]: row for row in rows}


def trace(workspace: WorkspaceFolder) -> list[dict[str, Any]]:
    """The last build's trace."""
    rows: list[dict[str, Any]] = json.loads((workspace.root / "stbuild-out/.stbuild/trace.json").read_text())
    return rows


def test_explain_names_the_file(two: WorkspaceFolder) -> None:
    assert two.ok("explain", "p:down").out.startswith("nothing would run: everything is up to date\n")
    two.write("p/a.txt", "b\n")
    rows = ahead(two, "p:down")
    ((what, old, new),) = rows["//p:up"]["changes"]
    assert (what, len(old), len(new)) == ("file p/a.txt", 12, 12)
    assert rows["//p:up"]["verdict"] == "runs"
    assert rows["//p:down"]["verdict"] == "may run"
    assert rows["//p:down"]["reason"] == "after //p:up Genrule, if its result differs"
    two.ok("p:down")
    out = two.ok("explain", "p:down").out
    assert "//p:up Genrule ran in build 2 (" in out
    assert "\n    file p/a.txt: " in out
    assert "\n    p/up.txt of //p:up: " in out


def test_explain_names_variable_command_and_tool(two: WorkspaceFolder) -> None:
    two.build_file("p", UP.replace("one", "two"), DOWN.replace(": one", ": two"))
    make_tool(two, "2.0")
    rows = ahead(two, "p:down")
    assert rows["//p:up"]["changes"] == [
        ["variable MODE", "one", "two"],
        ["tool mytool version", "mytool 1.0", "mytool 2.0"],
    ]
    assert rows["//p:down"]["verdict"] == "runs"
    ((what, old, new),) = rows["//p:down"]["changes"]
    assert what == "command"
    assert (old[-5:], new[-5:]) == (": one", ": two")


def test_explain_names_the_attribute(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/told.py", rule_file("told", "lanes: int = 4", TOLD))
    workspace.build_file("p", "told: {name: t}")
    workspace.ok("p:t")
    workspace.build_file("p", "told: {name: t, lanes: 8}")
    assert ahead(workspace, "p:t")["//p:t"]["changes"] == [["p/t/params.json lanes", "4", "8"]]


def test_explain_an_output_that_is_gone(two: WorkspaceFolder) -> None:
    two.output("p/up.txt").unlink()
    assert ahead(two, "p:up")["//p:up"]["verdict"] == "from cache"
    assert ahead(two, "p:up")["//p:up"]["reason"] == "its output is not in place"


def test_explain_remembers_older_builds(two: WorkspaceFolder) -> None:
    two.write("q/BUILD.yaml", "targets:\n  - genrule: {name: q, outs: [q.txt], cmd: 'touch $@'}\n")
    two.ok("//q:q")
    assert "//p:up Genrule ran in build 1 (" in two.ok("explain", "p:up").out


def test_diff_of_two_builds(two: WorkspaceFolder) -> None:
    two.build_file("p", UP.replace("one", "two"), DOWN)
    two.ok("p:all")
    assert two.ok("diff").out == "//p:up#Genrule differs\n    variable MODE: one -> two\n"
    (row,) = json.loads(two.ok("diff", "1", "2", "--json").out)
    assert row == {"id": "//p:up#Genrule", "change": "differs", "parts": [["variable MODE", "one", "two"]]}
    assert "no build 7 (known: 1, 2)" in two.fails("diff", "7")


def test_log_tells_costs_and_savings(two: WorkspaceFolder) -> None:
    two.build_file("p", UP, DOWN.replace(": one", "sleep 0.2"))
    two.ok("p:all")
    two.ok("clean")
    two.ok("p:all")
    first, second, third = json.loads(two.ok("log", "--json").out)
    assert (first["ran"], second["ran"], third["ran"], third["cached"]) == (2, 1, 0, 2)
    assert third["saved_s"] >= 0.2
    assert second["spent_s"] >= 0.2
    assert " s saved  stbuild p:all" in two.ok("log").out.splitlines()[-1]
    actions = json.loads(two.ok("log", "-1", "--json").out)["actions"]
    assert [(each["ended"], each["label"]) for each in actions] == [
        ("cached", "//p:down"),
        ("cached", "//p:up"),
    ]
    assert "cached  //p:down Genrule (saved 0." in two.ok("log", "3").out


def test_log_counts_the_calls_that_found_nothing_to_do(two: WorkspaceFolder) -> None:
    two.ok("p:up")
    for _ in range(2):
        two.ok("p:up")
    two.build_file("p", UP.replace("one", "two"), DOWN)
    two.ok("p:up")
    *_, before, last = json.loads(two.ok("log", "--json").out)
    assert (before["noops"], last["noops"]) == (2, 0)
    assert "\n       then 2 times nothing to do\n" in two.ok("log").out
    notes = two.root / "stbuild-out/.stbuild/noops.ndjson"
    line = json.loads(notes.read_text().splitlines()[-1])
    assert (line["event"], line["argv"], line["clean"]) == ("nothing_to_do", "p:up", 1)
    notes.write_text('torn\n{"time": "x"}\n')
    assert json.loads(two.ok("log", "--json").out)[-2]["noops"] == 0


def test_a_trace_has_lanes_instants_and_counters(workspace: WorkspaceFolder) -> None:
    workspace.write("pyproject.toml", "[tool.stbuild]\nresources = { vitis = 1 }\n")
    one = "resources: {vitis: 1}, cpu: 0.1"
    rules = [f"genrule: {{name: l{i}, outs: [l{i}], cmd: 'sleep 0.3; touch $@', {one}}}" for i in range(2)]
    rules += [f"genrule: {{name: f{i}, outs: [f{i}], cmd: 'sleep 0.3; touch $@'}}" for i in range(2)]
    workspace.build_file("p", rules[2])
    workspace.ok("p:all")
    workspace.output("p/f0").unlink()
    workspace.build_file("p", *rules)
    workspace.ok("p:all", "-j", "3")
    rows = trace(workspace)
    assert all({"ph", "pid", "tid"} <= set(row) for row in rows)
    lanes = {row["tid"]: row["args"]["name"] for row in rows if row.get("name") == "thread_name"}
    begun = [row for row in rows if row["ph"] == "B"]
    assert sorted(row["name"] for row in begun) == ["//p:f1 Genrule", "//p:l0 Genrule", "//p:l1 Genrule"]
    assert {lanes[row["tid"]] for row in begun} == {"job 1", "job 2"}
    (hit,) = [row for row in rows if row["ph"] == "i"]
    assert (hit["name"], lanes[hit["tid"]], hit["args"]["saved_s"] >= 0.3) == ("//p:f0", "cache", True)
    (waits,) = [row for row in rows if row["ph"] == "b"]
    assert waits["name"].endswith("waits for vitis")
    running = [row["args"]["actions"] for row in rows if row["ph"] == "C" and row["name"] == "running"]
    assert (max(running), running[-1]) == (2, 0)
    assert_nested(rows)


def assert_nested(rows: list[dict[str, Any]]) -> None:
    """Times never go back, and in each lane every begin has its end before the next begin."""
    times = [row["ts"] for row in rows if "ts" in row]
    assert times == sorted(times)
    depth: dict[int, int] = {}
    for row in rows:
        if row["ph"] in "BE":
            depth[row["tid"]] = depth.get(row["tid"], 0) + (1 if row["ph"] == "B" else -1)
            assert depth[row["tid"]] in (0, 1)
    assert set(depth.values()) == {0}


def test_a_killed_build_leaves_a_trace(workspace: WorkspaceFolder) -> None:
    mark = workspace.root / "mark"
    workspace.build_file(
        "p",
        "genrule: {name: a, outs: [a], cmd: 'touch $@'}",
        f"genrule: {{name: b, srcs: [':a'], outs: [b], cmd: 'touch {mark}; sleep 60; touch $@'}}",
    )
    process = workspace.start("p:b", "--sandbox=off")
    wait_for(mark)
    process.kill()
    process.communicate(timeout=30)
    text = (workspace.root / "stbuild-out/.stbuild/trace.json").read_text()
    whole = text[: text.rindex("}") + 1]
    while True:
        try:
            rows = json.loads(whole + "]")
            break
        except ValueError:
            whole = whole[: whole.rindex(",\n")]
    assert "//p:a Genrule" in {row.get("name") for row in rows}
    (killed,) = json.loads(workspace.ok("log", "--json").out)
    assert (killed["ended"], killed["argv"], killed["origin"]) == ("killed", "p:b --sandbox=off", "build")
    assert killed["time"] > 1e9


def test_a_request_that_is_refused_is_no_build(two: WorkspaceFolder) -> None:
    two.fails("p:upp")
    two.build_file("p", UP.replace("outs:", "ots:"))
    two.fails("p:up")
    assert len(json.loads(two.ok("log", "--json").out)) == 1
    assert two.events()[-1]["event"] == "build_finished"


def test_a_refused_build_is_told_as_such(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: a, outs: [a], cmd: 'touch $@', resources: {questa: 1}}")
    workspace.fails("p:a")
    (refused,) = json.loads(workspace.ok("log", "--json").out)
    assert refused["ended"] == "refused"


def test_a_line_separator_of_unicode_tears_no_line(workspace: WorkspaceFolder) -> None:
    workspace.write("p/odd.txt", "a\u2028b\x85c\n")
    workspace.build_file("p", "genrule: {name: odd, srcs: [odd.txt], outs: [o], cmd: 'cat $<; exit 1'}")
    workspace.fails("p:odd", code=1)
    (failed,) = json.loads(workspace.ok("log", "-1", "--json").out)["actions"]
    assert (failed["ended"], failed["line"]) == ("failed", "a\u2028b\x85c".splitlines()[-1])


@pytest.mark.parametrize("line", ["[]", "7", '{"event": "x"}', '{"time": 1}', '{"event": "comm', "\0\0"])
def test_a_line_that_is_no_event_is_passed_over(two: WorkspaceFolder, line: str) -> None:
    (events,) = (two.root / "stbuild-out/.stbuild/builds").glob("*1.ndjson")
    told = two.ok("log").out
    events.write_text(f"{line}\n{events.read_text()}{line}\n")
    assert two.ok("log").out == told
    two.ok("log", "1")
    two.ok("explain", "p:up")
