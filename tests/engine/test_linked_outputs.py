"""An output that is a symbolic link to an input is that input: its bytes are not read again."""

import os
from pathlib import Path

import pytest

from stbuild.engine.execution.collect import collect
from stbuild.engine.execution.folders import ActionDir
from stbuild.engine.graph.action import Action
from stbuild.engine.graph.artifact import File, Origin, Tree
from stbuild.engine.keys import digest as digests
from stbuild.engine.store.state import State
from stbuild.engine.store.store import Store
from tests.conftest import WorkspaceFolder

KNOWN, OTHER = b"as it was put there", b"what reading it again would find"
SOURCE = File(path="p/a")
TREE = Tree(path="p/t", origin=Origin.OUTPUT)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one content, the digest of both inputs below."""
    store = Store(tmp_path / "cache", pytest.fail)
    store.put_bytes(KNOWN, digests.hash_bytes(KNOWN))
    return store


def taken_in(store: Store, folder: Path, target: str, *inputs: File) -> str:
    """The digest of an output that is a link to `target`, where all files hold OTHER."""
    known = digests.hash_bytes(KNOWN)
    tree = store.put_manifest({"x/y": known})
    real = folder.parent / "real"
    for file in ("p/a", "p/t/x/y", "p/t/x/new"):
        (real / file).parent.mkdir(parents=True, exist_ok=True)
        (real / file).write_bytes(OTHER)
    (folder / "in/p").mkdir(parents=True)
    for name in ("a", "t"):
        (folder / f"in/p/{name}").symlink_to(real / f"p/{name}")
    out = File(path="p/g/o", origin=Origin.OUTPUT, prefix="p/g")
    (folder / "out").mkdir()
    (folder / "out/o").symlink_to(target)
    (folder / "log").touch()
    action = Action(id="g", label="//p:g", mnemonic="Link", argv=(), inputs=inputs, outputs=(out,))
    place = ActionDir(folder=str(folder), log=str(folder / "log"))
    digest_of = {SOURCE.path: known, TREE.path: tree}
    outputs, _ = collect(
        place, action, inputs, lambda f: str(real / f.path), lambda f: digest_of[f.path], store, sync=False
    )
    return outputs["out/o"]


@pytest.mark.parametrize("target", ["../in/p/a", "../in/p/t/x/y", "./../out/../in/p/t/x/y"])
def test_a_link_to_an_input_is_not_read(store: Store, tmp_path: Path, target: str) -> None:
    assert taken_in(store, tmp_path / "work", target, SOURCE, TREE) == digests.hash_bytes(KNOWN)


@pytest.mark.parametrize("target", ["../in/p/a", "../in/p/t/x/y"])
def test_a_link_to_what_is_no_input_is_read(store: Store, tmp_path: Path, target: str) -> None:
    assert taken_in(store, tmp_path / "work", target) == digests.hash_bytes(OTHER)


def test_a_link_to_what_the_tree_did_not_have_is_read(store: Store, tmp_path: Path) -> None:
    assert taken_in(store, tmp_path / "work", "../in/p/t/x/new", TREE) == digests.hash_bytes(OTHER)


def test_an_input_that_the_store_does_not_hold_is_read(tmp_path: Path) -> None:
    empty = Store(tmp_path / "empty", pytest.fail)
    assert taken_in(empty, tmp_path / "work", "../in/p/a", SOURCE) == digests.hash_bytes(OTHER)


@pytest.mark.parametrize("way", ["rm -f $<; echo own > $<", "mv in/p in/q; mkdir in/p; echo own > $<"])
@pytest.mark.parametrize("kind", ["auto", "staged", "off"])
def test_what_an_action_puts_in_the_place_of_an_input_is_not_the_input(
    workspace: WorkspaceFolder, kind: str, way: str
) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: a, outs: [a], cmd: 'echo first > $@'}",
        f"genrule: {{name: b, srcs: [':a'], outs: [b], cmd: '{way}; ln -s ../$< $@'}}",
    )
    done = workspace.run("p:b", f"--sandbox={kind}")
    assert done.code == 1 or workspace.output("p/b").read_text() == "own\n", done.err


@pytest.mark.parametrize("kind", ["auto", "staged", "off"])
def test_the_output_is_the_same_file_as_the_input(workspace: WorkspaceFolder, kind: str) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: a, outs: [a], cmd: 'echo 1 > $@'}",
        "genrule: {name: g, srcs: [':a'], outs: [g], cmd: 'ln -s ../$< $@'}",
    )
    workspace.ok("p:g", f"--sandbox={kind}")
    made = workspace.output("p/g")
    assert not made.is_symlink() and made.samefile(workspace.output("p/a"))


def test_a_blob_that_gets_and_loses_names_is_still_known(store: Store, tmp_path: Path) -> None:
    known = digests.hash_bytes(KNOWN)
    other = digests.hash_bytes(OTHER)
    store.put_bytes(OTHER, other)
    tree = store.put_manifest({"y": known})
    one, two, folder = (str(tmp_path / name) for name in ("one", "two", "folder"))
    for digest, target in ((known, one), (known, two), (tree, folder), (tree, folder), (other, two)):
        store.checkout(digest, target)
        assert store.copies.knows(os.lstat(one), known)
    store.checkout(store.put_manifest({"z": other}), folder)
    assert store.copies.knows(os.lstat(one), known)
    os.utime(one, ns=(0, digests.content_mtime_ns(known)))
    store.checkout(other, one)
    assert not store.copies.knows(os.lstat(store.path(known)), known)


def test_a_new_name_of_a_blob_makes_no_build_read_it(workspace: WorkspaceFolder) -> None:
    def build(command: str) -> None:
        workspace.build_file(
            "p",
            "genrule: {name: a, outs: [a], cmd: 'echo 1 > $@'}",
            f"genrule: {{name: g, srcs: [':a'], outs: [g], cmd: '{command}'}}",
        )
        workspace.ok("p:g")

    for command in ("ln -s ../$< $@", "ln -s ../$<  $@", "echo 2 > $@"):
        build(command)
        state = State(workspace.root / "stbuild-out/.stbuild")
        placed = {path: each for _, result in state.results() for path, each in result.outputs.items()}
        state.close()
        times = {path: os.lstat(workspace.output(path)).st_ctime_ns for path in ("p/a", "p/g")}
        assert {path: each.changed for path, each in placed.items()} == times
