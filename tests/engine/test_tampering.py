"""What an action, or a person, does to an output or a blob is seen at its next use, its time kept or not.

A blob and the outputs that show it are one file. Whatever is done to it, every later consumer is right; a
build that cannot be right fails.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from stbuild.engine.execution.placed import Outputs
from stbuild.engine.local import landlock
from stbuild.engine.store.copies import Copies, Found, counts_finely, seal
from stbuild.engine.store.store import Store
from tests.conftest import WorkspaceFolder

KINDS = ["auto", "off"]
TOOL = "#!/bin/sh\necho right\n"


def build_files(workspace: WorkspaceFolder, bad: str = "true") -> None:
    """A program that is an output, two users of it, and a target that does something bad to it."""
    workspace.write("p/tool.txt", TOOL)
    workspace.build_file(
        "p",
        "genrule: {name: tool, srcs: [tool.txt], outs: [tool], cmd: 'cp $< $@; chmod +x $@'}",
        "genrule: {name: use, srcs: [':tool'], outs: [use], cmd: './$< > $@'}",
        f"genrule: {{name: bad, srcs: [':tool'], outs: [bad], cmd: '{bad}; echo > $@'}}",
        "genrule: {name: later, srcs: [':tool'], outs: [later], cmd: './$< > $@; echo >> $@'}",
    )


def blob_of(workspace: WorkspaceFolder, path: Path) -> Path:
    """The blob that an output shows."""
    (blob,) = (each for each in workspace.cache.glob("cas/*/*") if each.samefile(path))
    return blob


def overwrite(path: Path) -> None:
    """Write other bytes of the same length, and put mode and time back."""
    status = path.stat()
    path.chmod(0o755)
    with path.open("r+") as stream:
        stream.write(TOOL.replace("right", "wrong"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.chmod(status.st_mode & 0o777)


HANDS: dict[str, Callable[[Path], None]] = {
    "not executable": lambda path: path.chmod(0o444),
    "no rights": lambda path: path.chmod(0o000),
    "writable": lambda path: path.chmod(0o755),
    "set-user-id": lambda path: path.chmod(0o4555),
    "another time": lambda path: os.utime(path, (5, 5)),
    "bytes with the time kept": overwrite,
}


@pytest.mark.parametrize("hand", HANDS)
def test_by_hand(workspace: WorkspaceFolder, hand: str) -> None:
    build_files(workspace)
    workspace.ok("p:use")
    tool = workspace.output("p/tool")
    HANDS[hand](tool)
    workspace.ok("p:use", "p:later")
    assert workspace.output("p/later").read_text() == "right\n\n"
    assert (tool.read_text(), tool.stat().st_mode & 0o7777) == (TOOL, 0o555)
    HANDS[hand](blob_of(workspace, tool))
    workspace.ok("clean")
    workspace.ok("p:later")
    assert (tool.read_text(), tool.stat().st_mode & 0o7777) == (TOOL, 0o555)


@pytest.mark.parametrize("hand", HANDS)
def test_verify_judges_cache_and_outputs(workspace: WorkspaceFolder, hand: str) -> None:
    build_files(workspace)
    workspace.ok("p:use")
    tool = workspace.output("p/tool")
    digest = blob_of(workspace, tool).name
    HANDS[hand](tool)
    done = workspace.run("cache", "verify")
    assert done.code == 1
    if "bytes" in hand:
        assert f"damaged: {digest}\n" in done.out
        assert "damaged: stbuild-out/u55c-sw_emu/p/tool\n" in done.out
        assert not tool.exists()
    else:
        assert f"mode or time put right: {digest}\n" in done.out
    assert workspace.ok("cache", "verify").out == "every file is sound\n"
    workspace.ok("p:use")
    assert (tool.read_text(), tool.stat().st_mode & 0o7777) == (TOOL, 0o555)


def test_verify_judges_an_output_that_is_a_copy(workspace: WorkspaceFolder) -> None:
    build_files(workspace)
    workspace.ok("p:use")
    tool = workspace.output("p/tool")
    text = tool.read_bytes()
    tool.unlink()
    tool.write_bytes(text)
    overwrite(tool)
    done = workspace.run("cache", "verify")
    assert (done.code, done.out.splitlines()[0]) == (1, "damaged: stbuild-out/u55c-sw_emu/p/tool")


ACTIONS = {
    "mode": "chmod 644 $<",
    "no rights": "chmod 000 $<",
    "time": "touch -d @5 $<",
    "bytes": "chmod u+w $<; echo evil > $<",
    "bytes with the time kept": "cp -p $< $$TMPDIR/r; chmod u+w $<; echo evil > $<; touch -r $$TMPDIR/r $<;"
    " chmod 555 $<",
    "another file": "cp $< $$TMPDIR/r; echo evil > $$TMPDIR/r; rm $<; mv $$TMPDIR/r $<; chmod 555 $<",
}
OWN_FOLDER = {"another file"}
"""What changes the link in the action's folder only, where it has one of its own."""


@pytest.mark.parametrize(
    ("action", "kind"),
    [*((action, kind) for action in ACTIONS for kind in KINDS), ("bytes with the time kept", "staged")],
)
def test_by_an_action(workspace: WorkspaceFolder, action: str, kind: str) -> None:
    build_files(workspace, ACTIONS[action])
    done = workspace.run("p:bad", f"--sandbox={kind}", "-j", "1")
    if action in OWN_FOLDER and kind != "off":
        assert done.code == 0, done.err
    else:
        assert done.code == 1
        denied = landlock.version() and kind == "auto" and "bytes" in action
        told = "Permission denied" if denied else "tool was changed while //p:bad read it"
        assert told in done.err
    workspace.ok("p:use", "p:later", f"--sandbox={kind}")
    tool = workspace.output("p/tool")
    assert workspace.output("p/later").read_text() == "right\n\n"
    assert (tool.read_text(), tool.stat().st_mode & 0o7777) == (TOOL, 0o555)
    assert workspace.ok("cache", "verify").out == "every file is sound\n"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["mode", "bytes with the time kept", "another file"])
def test_others_at_the_same_time_are_right_or_fail(
    workspace: WorkspaceFolder, action: str, kind: str
) -> None:
    build_files(workspace, f"sleep 0.2; {ACTIONS[action]}; sleep 0.2")
    slow = (
        'genrule: {{name: s{0}, srcs: [":tool"], outs: [s{0}], '
        "cmd: 'sleep 0.{0}; (./$< || echo none) > $@; sleep 0.1'}}"
    )
    text = (workspace.root / "p/BUILD.yaml").read_text()
    (workspace.root / "p/BUILD.yaml").write_text(
        text + "".join(f"  - {slow.format(number)}\n" for number in range(1, 6))
    )
    workspace.run("p:all", f"--sandbox={kind}", "-j", "9", "--keep-going")
    workspace.ok(*(f"p:s{number}" for number in range(1, 6)), f"--sandbox={kind}")
    for number in range(1, 6):
        assert workspace.output(f"p/s{number}").read_text() == "right\n"


def test_what_nobody_reads_any_more(workspace: WorkspaceFolder) -> None:
    """An action without a sandbox spoils an output of which it knows only the path, after its last use."""
    build_files(workspace, f"chmod u+w {workspace.output('p/use')}; echo evil > {workspace.output('p/use')}")
    workspace.ok("p:use", "--sandbox=off")
    done = workspace.run("p:use", "p:bad", "--sandbox=off")
    assert "p/use was changed while this build ran; build again" in done.err
    workspace.ok("p:use", "p:bad", "--sandbox=off")
    assert workspace.output("p/use").read_text() == "right\n"


def test_a_second_workspace_costs_the_first_no_rebuild(
    make_workspace: Callable[[str], WorkspaceFolder],
) -> None:
    one, two = make_workspace("one"), make_workspace("two")
    for each in (one, two):
        build_files(each)
        each.ok("p:later")
    for _ in range(2):
        assert one.ok("p:later").status.startswith("done: 0 run, 2 cached in ")
    two.ok("clean")
    assert one.ok("p:later").status.startswith("done: 0 run, 2 cached in ")


def test_a_file_system_that_counts_in_steps(tmp_path: Path) -> None:
    """A change that leaves the change time of the one before is found where it could have happened."""
    store = Store(tmp_path / "cache", print)
    source = tmp_path / "source"
    source.write_text("right")
    digest = store.put_file(str(source))
    path = tmp_path / "out"
    outputs = Outputs(store)
    outputs.place(str(path), digest)
    began_ns = path.stat().st_ctime_ns + 1_000_000
    path.chmod(0o644)
    path.write_text("wrong")
    seal(str(path), digest)
    store.copies.note(path.stat(), digest)  # As if the change time had stayed.
    assert outputs.unchanged_since(str(path), digest, began_ns)
    outputs.coarse_ns = 50_000_000
    assert not outputs.unchanged_since(str(path), digest, began_ns)


def test_copies_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Copies()
    path = tmp_path / "file"
    path.write_text("x")
    store = Store(tmp_path / "cache", print)
    digest = store.put_file(str(path))
    blob = store.path(digest)
    assert copies.check(blob, digest) is Found.SOUND
    monkeypatch.setattr("stbuild.engine.keys.digest.hash_file", lambda _: pytest.fail("read again"))
    assert copies.check(blob, digest) is Found.SOUND
    monkeypatch.undo()
    Path(blob).chmod(0o600)
    assert copies.check(blob, digest) is Found.MENDED
    assert copies.check(str(tmp_path / "none"), digest) is Found.MISSING
    assert isinstance(counts_finely(str(tmp_path)), bool)
