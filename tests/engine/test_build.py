"""A build runs what changed, and nothing else; real processes throughout."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import WorkspaceFolder

CHAIN = (
    "genrule: {name: upper, srcs: [in.txt], outs: [upper.txt], cmd: 'tr a-z A-Z < $< > $@'}",
    "genrule: {name: first, srcs: [':upper'], outs: [first.txt], cmd: 'head -c 1 $< > $@'}",
    "genrule: {name: last, srcs: [':first'], outs: [last.txt], cmd: 'cat $< $< > $@'}",
)


@pytest.fixture
def chain(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """Three genrules in a row."""
    workspace.write("p/in.txt", "hello")
    workspace.build_file("p", *CHAIN)
    return workspace


def counts(status: str) -> tuple[int, int]:
    """How many actions ran and how many did not need to."""
    hit = re.match(r"done: (\d+) run, (\d+) cached in ", status)
    assert hit, status
    return int(hit[1]), int(hit[2])


def wait_for(path: Path) -> None:
    """Wait until an action has made a file."""
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_cold_then_nothing(chain: WorkspaceFolder) -> None:
    assert counts(chain.ok("p:last").status) == (3, 0)
    assert chain.output("p/last.txt").read_text() == "HH"
    assert counts(chain.ok("p:last").status) == (0, 3)


def test_outputs_are_read_only_hard_links(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    status = chain.output("p/last.txt").stat()
    assert status.st_mode & 0o777 == 0o444
    assert status.st_nlink == 2


def test_early_cutoff(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    chain.write("p/in.txt", "hexagon")
    assert counts(chain.ok("p:last").status) == (2, 1)
    assert chain.output("p/upper.txt").read_text() == "HEXAGON"


def test_back_to_a_former_content_is_cached(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    chain.write("p/in.txt", "world")
    assert counts(chain.ok("p:last").status) == (3, 0)
    chain.write("p/in.txt", "hello")
    assert counts(chain.ok("p:last").status) == (0, 3)
    assert chain.output("p/last.txt").read_text() == "HH"


def test_touch_runs_nothing(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    (chain.root / "p/in.txt").touch()
    assert counts(chain.ok("p:last").status) == (0, 3)


def test_same_size_and_time_but_new_content(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    path = chain.root / "p/in.txt"
    before = path.stat()
    path.write_text("jello")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert counts(chain.ok("p:last").status) == (3, 0)


@pytest.mark.parametrize("edit", ["delete", "append", "replace"])
def test_an_output_edited_by_hand_is_restored(chain: WorkspaceFolder, edit: str) -> None:
    chain.ok("p:last")
    path = chain.output("p/upper.txt")
    match edit:
        case "delete":
            path.unlink()
        case "append":
            path.chmod(0o644)
            path.write_text("wrong")
        case "replace":
            other = path.with_name("other")
            other.write_text("WRONG")
            other.rename(path)
    chain.ok("p:last")
    assert path.read_text() == "HELLO"
    assert chain.output("p/last.txt").read_text() == "HH"


def test_a_changed_command_runs(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    chain.build_file("p", *CHAIN[:2], CHAIN[2].replace("cat $< $<", "cat $< $< $<"))
    assert counts(chain.ok("p:last").status) == (1, 2)
    assert chain.output("p/last.txt").read_text() == "HHH"


def test_all_hits_after_clean(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    chain.ok("clean")
    assert not chain.output("p").exists()
    assert counts(chain.ok("p:last").status) == (0, 3)


def test_a_second_workspace_hits_the_cache(make_workspace: Callable[[str], WorkspaceFolder]) -> None:
    for name, expected in (("one", (3, 0)), ("two", (0, 3))):
        made = make_workspace(name)
        made.write("p/in.txt", "hello")
        made.build_file("p", *CHAIN)
        assert counts(made.ok("p:last").status) == expected


def test_a_lost_blob_is_a_miss(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    chain.ok("clean")
    for blob in chain.cache.glob("cas/*/*"):
        blob.unlink()
    assert counts(chain.ok("p:last").status) == (3, 0)


def test_a_damaged_blob_is_a_miss_with_a_warning(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    chain.ok("clean")
    for blob in chain.cache.glob("cas/*/*"):
        blob.chmod(0o644)
        blob.write_text("rubbish")
    done = chain.ok("p:last")
    assert "was damaged and is not used" in done.err
    assert chain.output("p/last.txt").read_text() == "HH"


def test_platforms_share_what_does_not_depend_on_them(chain: WorkspaceFolder) -> None:
    chain.ok("p:last")
    assert counts(chain.ok("p:last", "--platform", "u280").status) == (0, 3)
    assert chain.output("p/last.txt", "u280-sw_emu").read_text() == "HH"


def test_independent_actions_run_at_once(workspace: WorkspaceFolder) -> None:
    rules = [f"genrule: {{name: {n}, outs: [{n}.txt], cmd: 'sleep 1; touch $@'}}" for n in "abcd"]
    workspace.build_file("p", *rules)
    workspace.ok("//...", "--jobs", "4")
    kinds = [event["event"] for event in workspace.events() if event["event"].startswith("action_")]
    assert kinds[:4] == ["action_started"] * 4


def test_keep_going_makes_what_is_left(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: bad, outs: [bad.txt], cmd: 'echo error: no luck >&2; exit 3'}",
        "genrule: {name: below, srcs: [':bad'], outs: [below.txt], cmd: 'cp $< $@'}",
        "genrule: {name: good, outs: [good.txt], cmd: 'sleep 0.3; touch $@'}",
    )
    done = workspace.run("//...", "-k", "-j", "1")
    assert done.code == 1
    assert done.status.startswith("failed: 1 run, 0 cached, 1 failed, 1 not tried in ")
    assert "//p:bad: Genrule failed with exit code 3\n  error: no luck\n  log: " in done.err
    assert done.err.endswith("\nnot tried: //p:below#Genrule\n")
    assert workspace.output("p/good.txt").exists()


def test_keep_dirs_gives_a_line_that_reruns(workspace: WorkspaceFolder) -> None:
    workspace.write("p/in.txt", "x")
    workspace.build_file("p", "genrule: {name: g, srcs: [in.txt], outs: [o.txt], cmd: 'cat $< > $@; exit 1'}")
    done = workspace.run("p:g", "--keep-dirs")
    line = next(line for line in done.err.splitlines() if "rerun: " in line).partition("rerun: ")[2]
    assert line.startswith("cd ")
    assert os.waitstatus_to_exitcode(os.system(f"bash -c {line!r}")) == 1


def test_an_input_that_changes_while_it_is_read_is_read_again(workspace: WorkspaceFolder) -> None:
    workspace.write("p/in.txt", "old")
    mark = workspace.root / "mark"
    command = f"cat $< > $@; touch {mark}; sleep 1"
    workspace.build_file("p", f"genrule: {{name: g, srcs: [in.txt], outs: [o.txt], cmd: '{command}'}}")
    process = workspace.start("p:g", "--sandbox=off")
    wait_for(mark)
    workspace.write("p/in.txt", "new")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "p/in.txt changed while //p:g read it; running it again" in err
    assert workspace.output("p/o.txt").read_text() == "new"


def test_a_long_chain_stays_linear(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    count = 300
    rules = ["genrule: {name: n0, outs: [n0.txt], cmd: 'touch $@'}"]
    rules += [
        f"genrule: {{name: n{i}, srcs: [':n{i - 1}'], outs: [n{i}.txt], cmd: 'cp $< $@'}}"
        for i in range(1, count)
    ]
    workspace.build_file("p", *rules)
    assert counts(workspace.ok(f"p:n{count - 1}").status) == (count, 0)
