"""A command whose files are as they were answers at once, at its first repeat too, and never wrongly."""

import os
import time
from pathlib import Path

import pytest

from stbuild.engine.keys.tracker import TICK_NS, Tracker, settled_signature, signature
from tests.conftest import WorkspaceFolder

UPPER = "genrule: {name: upper, srcs: [in.txt], outs: [upper.txt], cmd: 'tr a-z A-Z < $< > $@'}"
PLUGIN = '''"""A rule of the workspace's own."""

from dataclasses import dataclass

from stbuild.api import Context, File, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Copy:
    """`src` is copied."""

    src: File


@rule
def copy(ctx: Context[Copy]) -> FilesInfo:
    """Copy a file."""
    made = ctx.output("copy.txt")
    ctx.run("Copy", ("cp", ctx.attrs.src, made))
    return FilesInfo(files=(made,))
'''


def builds(space: WorkspaceFolder) -> int:
    """How many builds were more than a look at signatures: each leaves a log of its own."""
    return len(list((space.root / "stbuild-out/.stbuild/builds").glob("*.ndjson")))


@pytest.fixture
def upper(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """One genrule."""
    workspace.write("p/in.txt", "hello")
    workspace.build_file("p", UPPER)
    return workspace


def test_the_first_repeat_is_answered_from_signatures(upper: WorkspaceFolder) -> None:
    upper.ok("p:upper")
    assert builds(upper) == 1
    assert upper.ok("p:upper").status.startswith("done: 0 run, 1 cached")
    assert builds(upper) == 1


def test_byte_code_of_a_new_rule_does_not_spoil_the_first_repeat(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/copy.py", PLUGIN)
    workspace.write("p/in.txt", "hello")
    workspace.build_file("p", "copy: {name: twin, src: in.txt}")
    workspace.ok("p:twin")
    assert (workspace.root / "rules/__pycache__").is_dir()
    workspace.ok("p:twin")
    assert builds(workspace) == 1


def test_a_new_rule_file_is_noticed(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/copy.py", PLUGIN)
    workspace.write("p/in.txt", "hello")
    workspace.build_file("p", "copy: {name: twin, src: in.txt}")
    workspace.ok("p:twin")
    workspace.write("rules/another.py", PLUGIN.replace("def copy", "def another").replace("Copy", "Another"))
    workspace.ok("p:twin")
    assert builds(workspace) == 2


def test_an_edit_right_after_a_build_is_seen(upper: WorkspaceFolder) -> None:
    for number in range(5):
        upper.write("p/in.txt", f"a{number}")
        upper.ok("p:upper")
        upper.write("p/in.txt", f"b{number}")
        upper.ok("p:upper")
        assert upper.output("p/upper.txt").read_text() == f"B{number}"


def test_a_second_edit_within_a_tick_changes_the_signature(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for number in range(5):
        path.write_text(f"a{number}")
        before = settled_signature(str(path))
        path.write_text(f"b{number}")
        assert signature(str(path)) != before


def test_reading_waits_until_a_young_file_has_rested(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("young")
    Tracker().saw(path)
    assert time.time_ns() - path.stat().st_ctime_ns >= TICK_NS


def test_files_from_the_future_cost_no_waiting(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    when = time.time() + 1e6
    os.utime(path, (when, when))
    time.sleep(TICK_NS / 1e9)
    began = time.monotonic()
    settled_signature(str(path))
    assert time.monotonic() - began < TICK_NS / 2e9


def test_settling_takes_only_byte_code_as_nothing(tmp_path: Path) -> None:
    for name, same in (("__pycache__", True), ("new.txt", False)):
        folder = tmp_path / f"of-{name}"
        folder.mkdir()
        tracker = Tracker()
        tracker.saw(folder)
        (folder / name).mkdir()
        tracker.settle()
        assert (tracker.paths[str(folder)] == signature(str(folder))) is same


def test_a_damaged_output_is_no_answer(upper: WorkspaceFolder) -> None:
    upper.ok("p:upper")
    made = upper.output("p/upper.txt")
    made.chmod(0o644)
    made.write_text("by hand")
    upper.ok("p:upper")
    assert made.read_text() == "HELLO"


def test_a_torn_answer_is_no_answer(upper: WorkspaceFolder) -> None:
    upper.ok("p:upper")
    for saved in (upper.root / "stbuild-out/.stbuild/noop").iterdir():
        saved.write_bytes(saved.read_bytes()[:-7])
    assert upper.ok("p:upper").status.startswith("done: 0 run, 1 cached")
    assert builds(upper) == 2


def test_what_was_kept_of_another_build_is_not_used(upper: WorkspaceFolder) -> None:
    """A build that is killed between two files leaves the graph of one and the answer of another."""
    upper.ok("p:upper")
    noop = upper.root / "stbuild-out/.stbuild/noop"
    (kept,) = noop.glob("*.delta")
    old = kept.read_bytes()
    upper.write("p/BUILD.yaml", (upper.root / "p/BUILD.yaml").read_text().replace("in.txt", "other.txt"))
    upper.write("p/other.txt", "other")
    upper.ok("p:upper")
    kept.write_bytes(old)
    upper.write("p/other.txt", "changed")
    upper.ok("p:upper")
    assert upper.output("p/upper.txt").read_text() == "CHANGED"
