"""Folders of actions that are used again: nothing that one action did there is seen by the next."""

import errno
import os
from pathlib import Path

import pytest

from stbuild.engine.execution.links import Links
from stbuild.engine.execution.slots import Slots
from tests.conftest import WorkspaceFolder
from tests.engine.unprivileged import run_as_user

SPOILERS = {
    "files beside": "echo x > left; mkdir -p d/e; echo x > d/e/f; ln -s / root",
    "files in each": "echo x > in/x; echo x > out/x; echo x > $$TMPDIR/x; mkdir -p out/d/e in/d",
    "no rights": "chmod 500 tmp in .; chmod 555 out",
    "set-group-id": "chmod g+s out; chmod 1777 tmp",
    "a link for a folder": "rm -rf tmp; ln -s / tmp; mv in in2; ln -s in2 in",
    "other folders": "rm -rf tmp in; mkdir -m 700 tmp; mkdir in",
    "a file for a folder": "rm -rf tmp; echo x > tmp",
    "times put back": "touch -r . $$TMPDIR/r; echo x > left; touch -r $$TMPDIR/r .",
}
LIST = 'find . ! -path ./out/list -printf "%p %M %u %l\\n" | sed s,stbuild-out.*,, | sort > $@'


def listing(workspace: WorkspaceFolder, spoiler: str, kind: str) -> str:
    """What an action finds in its folder after another one has run."""
    first = f"{spoiler}; echo {len(spoiler)} > $@"  # Other bytes, so that the second action runs too.
    workspace.build_file(
        "p",
        f"genrule: {{name: first, outs: [o], cmd: '{first}'}}",
        f"genrule: {{name: list, srcs: [':first'], outs: [list], cmd: '{LIST}'}}",
    )
    done = workspace.ok("p:list", f"--sandbox={kind}", "-j", "1")
    assert done.status.startswith("done: 2 run")
    return workspace.output("p/list").read_text()


@pytest.mark.parametrize("kind", ["auto", "staged"])
@pytest.mark.parametrize("spoiler", SPOILERS)
def test_the_next_action_finds_its_inputs_only(workspace: WorkspaceFolder, spoiler: str, kind: str) -> None:
    clean = listing(workspace, "true", kind)
    assert [line.split()[0] for line in clean.splitlines()] == [
        ".", "./in", "./in/p", "./in/p/o", "./out", "./tmp",
    ]  # fmt: skip
    assert listing(workspace, SPOILERS[spoiler], kind) == clean


def test_a_build_leaves_no_folders(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: a, outs: [a], cmd: 'echo > $@'}",
        "genrule: {name: b, srcs: [':a'], outs: [b], cmd: 'echo says; false'}",
    )
    workspace.fails("p:all", code=1)
    assert list((workspace.root / "stbuild-out/.stbuild/work").iterdir()) == []


def test_a_folder_is_used_again_unless_it_is_spoilt(tmp_path: Path) -> None:
    slots = Slots(str(tmp_path))
    one = slots.take()
    inode = Path(one).stat().st_ino
    Path(one, "out/deep/er").mkdir(parents=True)
    slots.give_back(one)
    again = slots.take()
    assert Path(again).stat().st_ino == inode and not Path(one).exists()
    assert sorted(each.name for each in Path(again).rglob("*")) == ["in", "out", "tmp"]
    assert Path(slots.take()).stat().st_ino != inode
    Path(again, "tmp").chmod(0o711)
    slots.give_back(again)
    assert not Path(again).exists()
    gone = slots.take()
    slots.give_back(gone)
    Path(gone).rename(tmp_path / "elsewhere")
    assert Path(slots.take(), "out").is_dir()
    slots.close()
    assert [each.name for each in tmp_path.iterdir()] == ["elsewhere"]


@pytest.mark.parametrize("other", ["link", "file", "folder", "nothing"])
def test_links_to_one_input_are_one_file(tmp_path: Path, other: str) -> None:
    links = Links(str(tmp_path / "links"))
    source = str(tmp_path / "source")
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    links.put(source, str(one))
    links.put(source, str(two))
    assert os.lstat(one).st_ino == os.lstat(two).st_ino
    with pytest.raises(FileExistsError):
        links.put(source, str(two))
    (kept,) = (tmp_path / "links").iterdir()
    kept.unlink()
    match other:
        case "link":
            kept.symlink_to("/etc/passwd")
        case "file":
            kept.write_text("x")
        case "folder":
            kept.mkdir()
    links.put(source, str(three))
    assert [each.readlink() for each in (one, two, three)] == [Path(source)] * 3
    links.close()
    assert not (tmp_path / "links").exists() and one.is_symlink()


@pytest.mark.parametrize("problem", [errno.EMLINK, errno.EPERM, errno.EXDEV, errno.ENOENT])
def test_a_link_that_gets_no_other_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    links = Links(str(tmp_path / "links"))
    source = str(tmp_path / "source")
    links.put(source, str(tmp_path / "one"))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(problem, os.strerror(problem))

    monkeypatch.setattr(os, "link", refuse)
    links.put(source, str(tmp_path / "two"))
    monkeypatch.undo()
    links.put(source, str(tmp_path / "three"))
    links.put(source, str(tmp_path / "four"))
    names = ("one", "two", "three", "four")
    assert [(tmp_path / name).readlink() for name in names] == [Path(source)] * 4
    assert len({os.lstat(tmp_path / name).st_ino for name in names}) == 3


READ_ONLY = {
    "in tmp": "mkdir -p $$TMPDIR/d/e; touch $$TMPDIR/d/e/f; chmod -R a-w $$TMPDIR/d",
    "its own folder": "chmod 500 .",
    "a part": "chmod 000 in",
    "what it fails with": "mkdir d; touch d/f; chmod 500 d; chmod 000 tmp out .; exit 3",
}
SHARED = ("a part", "off")
"""There `in` is the folder of all actions."""


@pytest.mark.parametrize(
    ("way", "kind"), [(way, kind) for way in READ_ONLY for kind in ("auto", "off") if (way, kind) != SHARED]
)
def test_folders_that_their_owner_may_not_write_to(workspace: WorkspaceFolder, way: str, kind: str) -> None:
    workspace.build_file(
        "p",
        f"genrule: {{name: a, outs: [a], cmd: 'echo 1 > $@; {READ_ONLY[way]}'}}",
        "genrule: {name: b, srcs: [':a'], outs: [b], cmd: 'cat $< > $@; touch in/x tmp/x x'}",
        "genrule: {name: c, outs: [c], cmd: 'echo 3 > $@'}",
    )
    done = run_as_user(workspace, "p:all", "-k", "-j", "1", f"--sandbox={kind}")
    failed = "exit" in READ_ONLY[way]
    assert done.returncode == failed, done.stderr
    assert workspace.output("p/c" if failed else "p/b").read_text() == ("3\n" if failed else "1\n")
    assert not failed or "failed with exit code 3" in done.stderr
