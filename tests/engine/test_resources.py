"""Who waits for what: processors, memory, and licences and boards that all builds of a machine share."""

import re
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from stbuild.engine.local.cgroup import find_parent
from tests.conftest import WorkspaceFolder
from tests.engine.test_build import wait_for
from tests.engine.test_running import spans

Make = Callable[[str], WorkspaceFolder]


def board_rule(name: str, count: int = 1, seconds: float = 1.0) -> str:
    """A genrule that occupies boards and writes down which."""
    command = f"sleep {seconds}; echo $$STBUILD_CARD > $@"
    resources = f"resources: {{card: {count}}}"
    return f"genrule: {{name: {name}, outs: [{name}.txt], cmd: '{command}', cpu: 0.1, {resources}}}"


def two_with(make_workspace: Make, boards: int) -> tuple[WorkspaceFolder, WorkspaceFolder]:
    """Two workspaces on one machine that declare so many boards."""
    spaces = make_workspace("one"), make_workspace("two")
    for space in spaces:
        space.write("pyproject.toml", f"[tool.stbuild]\nresources = {{ card = {boards} }}\n")
        space.build_file("p", board_rule(space.root.name))
    return spaces


def test_each_action_is_told_its_own_boards(workspace: WorkspaceFolder) -> None:
    workspace.write("pyproject.toml", "[tool.stbuild]\nresources = { card = 3 }\n")
    workspace.build_file("p", board_rule("a"), board_rule("b"), board_rule("pair", count=2, seconds=0.1))
    workspace.ok("p:all", "-j", "4")
    found = spans(workspace)
    single = {workspace.output(f"p/{name}.txt").read_text().strip() for name in "ab"}
    assert len(single) == 2
    pair = workspace.output("p/pair.txt").read_text().strip()
    assert re.fullmatch(r"[012],[012]", pair)
    assert found["//p:pair"][0] >= min(found["//p:a"][1], found["//p:b"][1])


def test_two_workspaces_share_one_board(make_workspace: Make) -> None:
    one, two = two_with(make_workspace, boards=1)
    first, second = one.start("p:one"), two.start("p:two")
    told = first.communicate(timeout=60)[1] + second.communicate(timeout=60)[1]
    before, after = sorted([spans(one)["//p:one"], spans(two)["//p:two"]])
    assert before[1] <= after[0] + 0.05
    assert "for card, which another build has" in told
    assert two.output("p/two.txt").read_text() == "0\n"


def test_two_workspaces_take_different_boards(make_workspace: Make) -> None:
    one, two = two_with(make_workspace, boards=2)
    first, second = one.start("p:one"), two.start("p:two")
    assert first.wait(60) == second.wait(60) == 0
    numbers = {one.output("p/one.txt").read_text(), two.output("p/two.txt").read_text()}
    assert numbers == {"0\n", "1\n"}


def test_a_killed_build_gives_its_board_back(make_workspace: Make) -> None:
    one, two = two_with(make_workspace, boards=1)
    mark = one.root / "mark"
    one.build_file("p", board_rule("one", seconds=60).replace("sleep 60", f"touch {mark}; sleep 60"))
    first = one.start("p:one", "--sandbox=off")
    wait_for(mark)
    first.kill()
    first.communicate(timeout=30)
    began = time.monotonic()
    two.ok("p:two")
    assert time.monotonic() - began < 20


def test_processors_are_shared_out(workspace: WorkspaceFolder) -> None:
    rules = [f"genrule: {{name: c{i}, outs: [c{i}], cmd: 'sleep 0.3; touch $@', cpu: 2}}" for i in range(3)]
    workspace.build_file("p", *rules, "genrule: {name: s, outs: [s], cmd: 'sleep 0.3; touch $@'}")
    workspace.ok("p:all", "-j", "2")
    wide = sorted(span for label, span in spans(workspace).items() if label != "//p:s")
    assert all(before[1] <= after[0] for before, after in pairwise(wide))


def test_a_flaky_step_says_why_it_is_tried_again(workspace: WorkspaceFolder) -> None:
    mark = workspace.root / "mark"
    command = f"if [ -e {mark} ]; then touch $@; else touch {mark}; echo error: no licence left; exit 1; fi"
    workspace.build_file("p", f"genrule: {{name: f, outs: [f], cmd: '{command}', retries: 2}}")
    done = workspace.ok("p:f", "--sandbox=off")
    assert "retry  //p:f Genrule failed with exit code 1: error: no licence left (try 2)" in done.err
    (retried,) = [event for event in workspace.events() if event["event"] == "action_retried"]
    assert (retried["reason"], retried["line"]) == ("failed with exit code 1", "error: no licence left")


def test_a_step_that_needs_more_memory_says_where_its_limit_is(workspace: WorkspaceFolder) -> None:
    workspace.write("p/hog.py", "import time\nx = bytearray(300 << 20)\ntime.sleep(20)\n")
    rule = "genrule: {name: m, srcs: [hog.py], outs: [m], cmd: 'python3 $<', memory_mb: 100}"
    workspace.build_file("p", rule)
    told = workspace.fails("p:m", code=1)
    assert "//p:m: Genrule was stopped: it used more than its 100 MB of memory\n" in told
    assert re.search(r"\n  it had \d{3} MB of 100; its memory_mb is declared at p/BUILD.yaml:2, or by ", told)


def test_the_kernel_stops_a_step_that_takes_too_much_for_a_moment(workspace: WorkspaceFolder) -> None:
    workspace.write("p/hog.py", "x = bytearray(300 << 20)\ndel x\nopen('out/p/m', 'w').close()\n")
    workspace.build_file(
        "p", "genrule: {name: m, srcs: [hog.py], outs: [m], cmd: 'python3 $<', memory_mb: 100}"
    )
    place = find_parent()
    if place is None:  # Here only a look from time to time can tell.
        assert "looked at four times a second" in workspace.ok("doctor").out
        return
    told = workspace.fails("p:m", code=1)
    assert "//p:m: Genrule was stopped: it used more than its 100 MB of memory\n" in told
    assert "the kernel sees to it" in workspace.ok("doctor").out
    command = "(setsid sleep 60 &) ; touch $@"
    workspace.build_file("p", f"genrule: {{name: m, outs: [m], cmd: '{command}', memory_mb: 100}}")
    workspace.ok("p:m")
    owners = [group.name.split("-")[2] for group in Path(place.folder).glob("stbuild-*-*-*")]
    assert all(Path(f"/proc/{owner}").exists() for owner in owners)


def test_a_step_that_never_works_is_tried_so_often_and_no_more(workspace: WorkspaceFolder) -> None:
    tried = workspace.root / "tried"
    command = f"echo x >> {tried}; sleep 81.5"
    workspace.build_file(
        "p", f"genrule: {{name: t, outs: [t], cmd: '{command}', retries: 1, timeout_s: 0.4}}"
    )
    assert "was stopped after its time-out of 0.4 s" in workspace.fails("p:t", "--sandbox=off", code=1)
    assert tried.read_text() == "x\nx\n"
    assert subprocess.run(["pgrep", "-f", "^sleep 81.5"], check=False).returncode == 1
