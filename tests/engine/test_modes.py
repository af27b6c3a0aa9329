"""Whatever modes an action gives to what it leaves, that is taken or removed; nothing is passed over."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stbuild.engine.local import landlock
from stbuild.engine.store.files import open_up, remove, walk
from tests.conftest import WorkspaceFolder
from tests.engine.test_outputs import READ_RULE, TREE_RULE

ROOT = os.geteuid() == 0
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if ROOT else []
"""Root may do all that modes forbid; without its capabilities it is a user like any other."""

pytestmark = pytest.mark.skipif(ROOT and not shutil.which("setpriv"), reason="root has no setpriv here")


def build(workspace: WorkspaceFolder, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run stbuild as a user whom modes bind."""
    argv = [*WITHOUT_RIGHTS, sys.executable, "-P", "-m", "stbuild", *args]
    return subprocess.run(
        argv, cwd=workspace.root, env=workspace.environment(), capture_output=True, text=True, check=False
    )


FILES = {
    "left in tmp": "mkdir tmp/d; touch tmp/d/x; chmod 555 tmp/d",
    "left unreadable": "mkdir -p d/e; touch d/e/x; chmod 000 d/e d",
    "output": "chmod 000 $@",
    "folder of outputs": "chmod 555 out",
    "no folder of outputs": "chmod 000 out",
    "action's folder": "chmod 000 .",
}


@pytest.mark.parametrize("kind", ["auto", "off"])
@pytest.mark.parametrize("way", FILES)
def test_modes_that_an_action_leaves(workspace: WorkspaceFolder, way: str, kind: str) -> None:
    workspace.build_file(
        "p",
        f"genrule: {{name: g, outs: [g], cmd: 'echo made > $@; {FILES[way]}'}}",
        "genrule: {name: later, outs: [later], cmd: 'echo later > $@'}",
    )
    for target in ("g", "later"):
        done = build(workspace, f"p:{target}", f"--sandbox={kind}", "-j1")
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert workspace.output("p/g").read_text() == "made\n"
    assert workspace.output("p/later").read_text() == "later\n"


@pytest.mark.parametrize("kind", ["auto", "off"])
@pytest.mark.parametrize("mode", ["555", "000", "200"])
def test_modes_within_a_tree(workspace: WorkspaceFolder, mode: str, kind: str) -> None:
    workspace.write("rules/grow.py", TREE_RULE)
    command = f"mkdir -p out/t/d/e; echo x > out/t/d/e/x; chmod {mode} out/t/d/e/x out/t/d/e out/t/d out/t"
    workspace.build_file("p", f"grow: {{name: g, cmd: '{command}'}}")
    done = build(workspace, "p:g", f"--sandbox={kind}")
    assert done.returncode == 0, done.stderr
    assert workspace.output("p/g/t/d/e/x").read_text() == "x\n"


def test_a_tree_that_a_person_has_closed(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/grow.py", TREE_RULE)
    for text in ("x", "y"):
        workspace.build_file("p", f"grow: {{name: g, cmd: 'mkdir out/t/d; echo {text} > out/t/d/x'}}")
        assert build(workspace, "p:g").returncode == 0
        assert workspace.output("p/g/t/d/x").read_text() == f"{text}\n"
        for place in ("p/g/t/d", "p/g/t"):
            workspace.output(place).chmod(0o555 if text == "x" else 0)
    assert build(workspace, "p:g").returncode == 0
    assert workspace.output("p/g/t/d/x").read_text() == "y\n"


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_of_outputs_that_a_person_has_closed(workspace: WorkspaceFolder, mode: int) -> None:
    workspace.build_file("p/q", "genrule: {name: g, outs: [d/g], cmd: 'echo 1 > $@'}")
    assert build(workspace, "p/q:g").returncode == 0
    workspace.build_file("p/q", "genrule: {name: g, outs: [d/g], cmd: 'echo 2 > $@'}")
    folders = [workspace.output(name) for name in ("p/q/d", "p/q", "p", "")]
    for after in ("p/q:g", "clean"):
        for folder in folders:
            folder.chmod(mode)
        done = build(workspace, *after.split())
        assert done.returncode == 0, done.stderr
        assert after == "clean" or workspace.output("p/q/d/g").read_text() == "2\n"
    assert not folders[-1].exists()


def test_a_source_folder_that_cannot_be_read(workspace: WorkspaceFolder) -> None:
    """Its files count; without them the key would be that of an empty folder."""
    workspace.write("rules/read.py", READ_RULE)
    closed = workspace.write("p/data/closed/x", "x").parent
    workspace.build_file("p", "read: {name: r, tree: data, cmd: 'echo > out/o'}")
    closed.chmod(0)
    try:
        done = build(workspace, "p:r")
        assert done.returncode == 1 and f"{closed}: Permission denied" in done.stderr, done.stderr
    finally:
        closed.chmod(0o755)


def test_names_that_are_not_utf_8(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/grow.py", TREE_RULE)
    workspace.write("p/BUILD.yaml", "targets:\n- grow:\n    name: g\n    cmd: \"touch out/t/$'a\\\\377b'\"\n")
    assert "made out/t/a\\udcffb, whose name is not UTF-8" in workspace.fails("p:g", code=1)


def test_a_path_that_is_too_long(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/grow.py", TREE_RULE)
    deep = 'cd out/t; for i in {1..30}; do d=$(printf "%0200d" 1); mkdir $d; cd -P $d 2> /dev/null; done'
    workspace.build_file("p", f"grow: {{name: g, cmd: '{deep}'}}")
    told = workspace.fails("p:g", code=1)
    assert "//p:g: Grow made outputs that cannot be read: File name too long" in told


def test_links_are_not_opened_up(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (outside / "d").mkdir(parents=True)
    (outside / "x").touch()
    folder.mkdir()
    for name in ("d", "x"):
        (outside / name).chmod(0o100)
        (folder / name).symlink_to(outside / name)
    open_up(str(folder))
    assert {path.stat().st_mode & 0o777 for path in outside.iterdir()} == {0o100}
    remove(str(folder))
    assert not folder.exists() and sorted(path.name for path in outside.iterdir()) == ["d", "x"]
    with pytest.raises(FileNotFoundError):
        list(walk(str(folder)))


def test_a_kernel_that_forbids_the_map_of_a_user_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Ubuntu 24.04 does: the namespace can be entered and is of no use."""

    def forbidden() -> str:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(landlock, "_leave_network", forbidden)
    assert landlock.empty_network() == []
