"""How actions run: kept apart, with what they need, not longer than allowed, once for everybody."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from stbuild.engine.keys import digest
from stbuild.engine.local import landlock
from tests.conftest import WorkspaceFolder
from tests.engine.test_build import wait_for

needs_landlock = pytest.mark.skipif(
    not landlock.version(), reason="this kernel has no Landlock: Linux 5.13 or newer"
)


def spans(workspace: WorkspaceFolder) -> dict[str, tuple[float, float]]:
    """When each target's action began and ended."""
    began: dict[str, float] = {}
    found = {}
    for event in workspace.events():
        if event["event"] == "action_started":
            began[event["label"]] = event["time"]
        elif event["event"] == "action_finished":
            found[event["label"]] = (began[event["label"]], event["time"])
    return found


def test_a_small_action_does_not_wait_behind_one_that_waits(workspace: WorkspaceFolder) -> None:
    workspace.write("pyproject.toml", "[tool.stbuild]\nresources = { vitis = 1 }\n")
    one = "{vitis: 1}"
    links = [
        f"genrule: {{name: link{i}, outs: [l{i}], cmd: 'sleep 0.7; touch $@', cpu: 0.1, resources: {one}}}"
        for i in range(3)
    ]
    workspace.build_file("p", *links, "genrule: {name: small, outs: [s], cmd: 'touch $@'}")
    done = workspace.ok("//...", "-j", "2")
    found = spans(workspace)
    order = sorted(found[f"//p:link{i}"] for i in range(3))
    assert all(before[1] <= after[0] for before, after in pairwise(order))
    assert found["//p:small"][1] < order[1][1]
    assert "waits  //p:link" in done.err
    assert "for vitis" in done.err


def test_memory_is_shared_out(workspace: WorkspaceFolder) -> None:
    rules = [
        f"genrule: {{name: m{i}, outs: [m{i}], cmd: 'sleep 0.4; touch $@', memory_mb: 9999999}}" for i in "ab"
    ]
    workspace.build_file("p", *rules)
    workspace.ok("//...", "-j", "4")
    first, second = sorted(spans(workspace).values())
    assert first[1] <= second[0]


def until_told(process: "subprocess.Popen[str]", text: str) -> bool:
    """Whether a running command tells this on a line of its own."""
    assert process.stderr is not None
    return any(text in line for line in process.stderr)


MESSES = {
    "old": "touch leak tmp/leak; touch -d @1 . tmp",
    "folder": "mkdir leak; touch out/leak",
    "tmp": "rm -rf tmp",
    "in": "rm in",
    "out": "rm -r out; mkdir out; touch $@",
}


@pytest.mark.parametrize("mess", MESSES)
def test_an_action_without_a_sandbox_finds_nothing_of_the_one_before(
    workspace: WorkspaceFolder, mess: str
) -> None:
    workspace.build_file(
        "p",
        f"genrule: {{name: a, outs: [a], cmd: 'touch $@; {MESSES[mess]}'}}",
        "genrule: {name: b, srcs: [':a'], outs: [b], cmd: 'ls tmp $<; find > $@'}",
    )
    workspace.ok("p:b", "--sandbox=off", "-j", "1")
    assert "leak" not in workspace.output("p/b").read_text()


@pytest.mark.parametrize("name", ["out", "tmp"])
def test_tidying_up_after_an_action_follows_no_link(workspace: WorkspaceFolder, name: str) -> None:
    precious = workspace.write("p/precious/file", "x")
    swap = f"rm -r {name}; ln -s {precious.parent} {name}"
    workspace.build_file("p", f"genrule: {{name: a, outs: [a], cmd: 'touch $@; {swap}; touch $@'}}")
    workspace.run("p:a", "--sandbox=off")
    assert precious.read_text() == "x"


def test_a_file_that_hides_its_size_is_hashed_to_its_end() -> None:
    assert digest.hash_file("/proc/version") == digest.hash_bytes(Path("/proc/version").read_bytes())


def test_a_time_out_kills_the_whole_tree(workspace: WorkspaceFolder) -> None:
    command = "sleep 61.5 & (setsid sleep 61.5 &) ; sleep 61.5; touch $@"
    workspace.build_file("p", f"genrule: {{name: t, outs: [t], cmd: '{command}', timeout_s: 0.6}}")
    told = workspace.fails("p:t", code=1)
    assert "//p:t: Genrule was stopped after its time-out of 0.6 s" in told
    assert subprocess.run(["pgrep", "-f", "^sleep 61.5"], check=False).returncode == 1


def test_too_much_memory(workspace: WorkspaceFolder) -> None:
    command = 'python3 -c "import time; x = bytearray(300 << 20); time.sleep(5)"; touch $@'
    workspace.write("p/hog.sh", command.replace("touch $@", ""))
    workspace.build_file(
        "p", "genrule: {name: m, srcs: [hog.sh], outs: [m], cmd: 'bash $<; touch $@', memory_mb: 100}"
    )
    assert "it used more than its 100 MB of memory" in workspace.fails("p:m", code=1)


def test_a_flaky_action_is_tried_again(workspace: WorkspaceFolder) -> None:
    mark = workspace.root / "mark"
    command = f"if [ -e {mark} ]; then touch $@; else touch {mark}; echo error: unlucky; exit 1; fi"
    workspace.build_file("p", f"genrule: {{name: f, outs: [f], cmd: '{command}', retries: 2}}")
    done = workspace.ok("p:f", "--sandbox=off")
    assert "retry  //p:f Genrule failed with exit code 1: error: unlucky (try 2)" in done.err


def test_two_who_want_the_same_wait_for_one(
    make_workspace: Callable[[str], WorkspaceFolder], tmp_path: Path
) -> None:
    ran, go = tmp_path / "ran", tmp_path / "go"
    spaces = [make_workspace("one"), make_workspace("two")]
    for space in spaces:
        command = f"echo x >> {ran}; while [ ! -e {go} ]; do sleep 0.05; done; date +%N > $@"
        space.build_file("p", f"genrule: {{name: l, outs: [l], cmd: '{command}'}}")
    first = spaces[0].start("p:l", "--sandbox=off")
    wait_for(ran)
    second = spaces[1].start("p:l", "--sandbox=off")
    assert until_told(second, "waits  //p:l Genrule for another build that makes the same")
    go.touch()
    first.communicate(timeout=60)
    assert second.communicate(timeout=60)[0].startswith("done: 0 run, 1 cached in ")
    assert ran.read_text() == "x\n"
    assert spaces[0].output("p/l").read_bytes() == spaces[1].output("p/l").read_bytes()


def test_a_lease_ends_with_its_holder(
    make_workspace: Callable[[str], WorkspaceFolder], tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    spaces = [make_workspace("one"), make_workspace("two")]
    for space in spaces:
        space.build_file("p", f"genrule: {{name: l, outs: [l], cmd: 'echo x >> {ran}; sleep 2; touch $@'}}")
    first = spaces[0].start("p:l", "--sandbox=off")
    wait_for(ran)
    first.kill()
    first.communicate(timeout=30)
    assert spaces[1].ok("p:l", "--sandbox=off").status.startswith("done: 1 run, 0 cached in ")


@needs_landlock
@pytest.mark.parametrize("command", ["cat {root}/p/secret.txt > $@", "cat in/p/secret.txt > $@"])
def test_an_undeclared_read_fails_and_is_named(workspace: WorkspaceFolder, command: str) -> None:
    workspace.write("p/secret.txt", "x")
    workspace.build_file(
        "p", f"genrule: {{name: g, outs: [g], cmd: '{command.format(root=workspace.root)}'}}"
    )
    told = workspace.fails("p:g", code=1)
    assert "p/secret.txt is not an input of //p:g: declare it, for example in `srcs`" in told
    workspace.ok("p:g", "--sandbox=off") if "in/" not in command else None


@needs_landlock
def test_the_sandbox_hides_home_temp_and_network(workspace: WorkspaceFolder) -> None:
    probe = (
        "for d in ~root /tmp /home; do ls $$d > /dev/null 2>&1 && echo sees $$d >> $@; done; "
        "(echo > /dev/tcp/127.0.0.1/9) 2>> $@ || true; echo $$(ls $$HOME) >> $@; touch $$TMPDIR/x; "
        "echo bad > /tmp/stbuild-escaped && echo wrote >> $@ || true"
    )
    workspace.build_file("p", f'genrule: {{name: g, outs: [g], cmd: "{probe}"}}')
    workspace.ok("p:g")
    text = workspace.output("p/g").read_text()
    assert "sees" not in text
    assert "wrote" not in text
    assert not Path("/tmp/stbuild-escaped").exists()


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_a_killed_spawner_leaves_nothing_running(workspace: WorkspaceFolder, sandbox: str) -> None:
    workspace.build_file("p", "genrule: {name: g, outs: [g], cmd: 'sleep 4711.5; touch $@'}")
    build = workspace.start("p:g", f"--sandbox={sandbox}")
    while subprocess.run(["pgrep", "-f", "^sleep 4711.5"], capture_output=True, check=False).returncode:
        time.sleep(0.05)
    spawner = subprocess.run(["pgrep", "-P", str(build.pid)], capture_output=True, text=True, check=True)
    os.kill(int(spawner.stdout), signal.SIGKILL)
    told = build.communicate(timeout=60)[1]
    assert "the process that starts the actions was killed" in told
    assert build.returncode == 1
    assert subprocess.run(["pgrep", "-f", "^sleep 4711.5"], check=False).returncode == 1


def test_an_action_has_a_clean_environment(workspace: WorkspaceFolder) -> None:
    workspace.env["SECRET_TOKEN"] = "x"
    workspace.build_file(
        "p", "genrule: {name: g, outs: [g], cmd: 'env | cut -d= -f1 | sort > $@', env: {MINE: '1'}}"
    )
    workspace.ok("p:g")
    names = set(workspace.output("p/g").read_text().split())
    assert "SECRET_TOKEN" not in names
    assert {"MINE", "HOME", "TMPDIR", "LC_CTYPE", "PYTHONHASHSEED", "SOURCE_DATE_EPOCH"} <= names


def test_two_builds_in_one_workspace_take_turns(workspace: WorkspaceFolder) -> None:
    mark, go = workspace.root / "mark", workspace.root / "go"
    command = f"touch {mark}; while [ ! -e {go} ]; do sleep 0.05; done; touch $@"
    workspace.build_file("p", f"genrule: {{name: g, outs: [g], cmd: '{command}'}}")
    first = workspace.start("p:g", "--sandbox=off")
    wait_for(mark)
    second = workspace.start("p:g", "--sandbox=off")
    told = f"another stbuild (process {first.pid}) builds in {workspace.root}; waiting for it"
    assert until_told(second, told)
    go.touch()
    first.communicate(timeout=60)
    assert second.communicate(timeout=60)[0].startswith("done: 0 run, 1 cached in ")


def test_interrupt_stops_at_once_and_keeps_what_is_done(workspace: WorkspaceFolder) -> None:
    mark = workspace.root / "mark"
    workspace.build_file(
        "p",
        "genrule: {name: a, outs: [a], cmd: 'touch $@'}",
        f"genrule: {{name: b, srcs: [':a'], outs: [b], cmd: 'touch {mark}; sleep 60; touch $@'}}",
    )
    process = workspace.start("p:b", "--sandbox=off")
    wait_for(mark)
    began = time.monotonic()
    process.send_signal(2)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 3
    assert process.returncode == 130
    assert err.endswith("stopped; what had finished is kept\n")
    explained = json.loads(workspace.ok("explain", "p:b", "--json").out)["next"]
    assert [each["label"] for each in explained] == ["//p:b"]


def test_a_no_op_imports_next_to_nothing(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: a, outs: [a], cmd: 'touch $@'}")
    workspace.write("p/x", "")
    time.sleep(0.1)
    workspace.ok("p:a")
    workspace.ok("p:a")
    workspace.env["PYTHONPROFILEIMPORTTIME"] = "1"
    done = workspace.ok("p:a")
    assert done.status.startswith("done: 0 run, 1 cached in ")
    for name in ("yaml", "doit", "rich", "argparse", "json"):
        assert f" {name}\n" not in done.err
