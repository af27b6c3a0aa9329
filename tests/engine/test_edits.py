"""An edit while a build runs: what came of mixed contents is never taken for the result of either."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import WorkspaceFolder
from tests.engine.test_build import wait_for

SLOW = "echo x >> {began}; while [ ! -e {go} ]; do sleep 0.02; done; cat $(SRCS) > $@"
STEP = '''"""A step whose code is edited while it runs."""

import pathlib
import time

from stbuild.step import F, Step, arg, main, out

WORD = "one"


class Write(Step[F]):
    """Write a word."""

    began: str = arg("made at once")
    go: str = arg("waited for")
    made: F = out("the word")

    def run(self):
        pathlib.Path(self.began).touch()
        while not pathlib.Path(self.go).exists():
            time.sleep(0.02)
        self.made.write_text(WORD)


if __name__ == "__main__":
    main(Write)
'''
RULE = '''"""Runs a module of the workspace."""

from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, rule
from steps.word import Write


@dataclass(frozen=True, kw_only=True)
class Word:
    """`began` and `go` are files by which a test steers the action."""

    began: str
    go: str


@rule
def word(ctx: Context[Word]) -> FilesInfo:
    """Write a word."""
    made = ctx.output("word.txt")
    ctx.step(Write(began=ctx.attrs.began, go=ctx.attrs.go, made=made))
    return FilesInfo(files=(made,))
'''


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, Path]:
    """The file that a waiting action makes, and the one that it waits for."""
    return tmp_path / "began", tmp_path / "go"


def build_with_edit(
    space: WorkspaceFolder, paths: tuple[Path, Path], edit: Callable[[], object], *args: str
) -> tuple[int, str]:
    """Build; edit once the first action has begun, then let it go on. The exit code and what was told."""
    began, go = paths
    process = space.start("p/...", "--sandbox=off", "--plain", *args)
    wait_for(began)
    edit()
    go.touch()
    _, err = process.communicate(timeout=120)
    assert "Traceback" not in err, err
    return process.returncode, err


def test_each_reader_of_an_edited_file_runs_again(
    workspace: WorkspaceFolder, paths: tuple[Path, Path]
) -> None:
    command = SLOW.format(began=paths[0], go=paths[1])
    workspace.write("p/in.txt", "one")
    names = ("a", "b", "c")
    workspace.build_file(
        "p",
        *(
            f"genrule: {{name: {each}, srcs: [in.txt], outs: [{each}.txt], cmd: '{command}'}}"
            for each in names
        ),
    )
    code, err = build_with_edit(workspace, paths, lambda: workspace.write("p/in.txt", "two"), "-j", "1")
    assert code == 0
    assert "p/in.txt changed while //p:a read it; running it again" in err
    for text in ("two", "one", "two"):
        workspace.write("p/in.txt", text)
        workspace.ok("p/...", "--sandbox=off")
        assert [workspace.output(f"p/{each}.txt").read_text() for each in names] == [text] * 3


def test_code_that_is_edited_while_it_runs(workspace: WorkspaceFolder, paths: tuple[Path, Path]) -> None:
    workspace.env["PYTHONPATH"] = f"{workspace.root}:{workspace.environment()['PYTHONPATH']}"
    workspace.write("rules/word.py", RULE)
    workspace.write("steps/__init__.py", "")
    workspace.write("steps/word.py", STEP)
    workspace.build_file("p", f"word: {{name: w, began: {paths[0]}, go: {paths[1]}}}")
    edit = STEP.replace('"one"', '"two"')
    code, err = build_with_edit(workspace, paths, lambda: workspace.write("steps/word.py", edit))
    assert code == 0
    assert "steps/word.py changed while //p:w read it; running it again" in err
    assert workspace.output("p/w/word.txt").read_text() == "two"
    for text, word in ((STEP, "one"), (edit, "two")):
        workspace.write("steps/word.py", text)
        workspace.ok("p/...", "--sandbox=off")
        assert workspace.output("p/w/word.txt").read_text() == word


def test_an_output_that_is_edited_while_it_is_read(
    workspace: WorkspaceFolder, paths: tuple[Path, Path]
) -> None:
    command = SLOW.format(began=paths[0], go=paths[1])
    workspace.write("p/in.txt", "one")
    workspace.build_file(
        "p",
        "genrule: {name: a, srcs: [in.txt], outs: [a.txt], cmd: 'cat $< > $@'}",
        f"genrule: {{name: b, srcs: [':a'], outs: [b.txt], cmd: '{command}'}}",
    )

    def edit() -> None:
        made = workspace.output("p/a.txt")
        made.chmod(0o644)
        made.write_text("bad")

    code, err = build_with_edit(workspace, paths, edit)
    assert code == 1
    assert "p/a.txt was changed while //p:b read it" in err
    workspace.ok("p/...", "--sandbox=off")
    assert workspace.output("p/a.txt").read_text() == "one"
    assert workspace.output("p/b.txt").read_text() == "one"


def test_a_file_that_is_always_written_ends_in_a_sentence(
    workspace: WorkspaceFolder, paths: tuple[Path, Path]
) -> None:
    _, go = paths
    workspace.write("p/in.txt", "0")
    workspace.build_file(
        "p",
        "genrule: {name: a, srcs: [in.txt], outs: [a.txt], "
        f"cmd: 'date +%N > {workspace.root}/p/in.txt; cat $< > $@'}}",
    )
    go.touch()
    time.sleep(0.1)
    told = workspace.fails("p:a", "--sandbox=off", code=1)
    assert "p/in.txt keeps changing while it runs" in told


def test_a_folder_that_is_a_package_no_more_is_searched(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: g, srcs: [{glob: ['**/*.txt']}], outs: [o], cmd: 'basename -a $(SRCS) > $@'}",
    )
    for path in ("p/a.txt", "p/sub/b.txt"):
        workspace.write(path, "x")
    inner = workspace.write("p/sub/BUILD.yaml", "targets: []\n")
    workspace.ok("p:g")
    assert workspace.output("p/o").read_text() == "a.txt\n"
    inner.unlink()
    workspace.ok("p:g")
    assert workspace.output("p/o").read_text() == "a.txt\nb.txt\n"


def test_a_source_that_is_gone_gives_way_to_an_output_of_its_name(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: a, outs: [x1], cmd: 'echo made > $@'}",
        "genrule: {name: b, srcs: [x1], outs: [x2], cmd: 'cat $< > $@'}",
    )
    source = workspace.write("p/x1", "written\n")
    workspace.ok("p:b")
    source.unlink()
    workspace.ok("p:b")
    assert workspace.output("p/x2").read_text() == "made\n"
