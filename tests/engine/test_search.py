"""PATH, HOME and the environment of Python let no action read the workspace, a cache or HOME."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.engine.execution.roots import Roots, without
from stbuild.engine.keys import search
from stbuild.engine.keys.search import SearchPath, inside
from stbuild.engine.local import landlock
from tests.conftest import WorkspaceFolder

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="needs Landlock")
USUAL = "/usr/local/bin:/usr/bin:/bin"


class Machine:
    """A HOME with a workspace, a cache and installed programs below a folder."""

    def __init__(self, top: Path) -> None:
        self.home = top / "home"
        self.workspace = self.home / "code/ws"
        self.cache = self.home / ".cache/stbuild"
        for path in (
            "code/ws/bin",
            "code/ws/.venv/bin",
            "code/ws/.venv/lib",
            "code/bin",
            "bin",
            ".local/bin",
        ):
            (self.home / path).mkdir(parents=True)
        for path in ("conda/bin", "conda/lib", "notes/bin", ".local/share", ".cache/stbuild/bin"):
            (self.home / path).mkdir(parents=True)
        (top / "opt/tool/bin").mkdir(parents=True)
        self.top = top

    def search(self, *folders: str) -> SearchPath:
        """PATH of these folders, relative to the top."""
        return SearchPath(
            text=os.pathsep.join([*(str(self.top / each) for each in folders), *USUAL.split(":")]),
            private=(str(self.workspace), str(self.cache)),
            personal=(str(self.home), str(self.home / ".local/share"), str(self.home / ".cache")),
            prefix=str(self.workspace / ".venv"),
        )

    def granted(self, *folders: str) -> set[str]:
        """What PATH opens below the top, relative to it."""
        roots = Roots(self.search(*folders)).system
        return {each[len(f"{self.top}/") :] for each in roots if each.startswith(f"{self.top}/")}


VENV = {f"home/code/ws/.venv/{each}" for each in ("bin", "lib")}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path.resolve())


@pytest.mark.parametrize(
    ("folder", "granted"),
    [
        ("home/code/ws/bin", set()),
        ("home/code/ws", set()),
        ("home/code/ws/../ws/bin", set()),
        ("home/code", set()),
        ("home", set()),
        ("", set()),
        ("home/.cache/stbuild/bin", set()),
        ("home/.cache", set()),
        ("home/code/bin", {"home/code/bin"}),
        ("home/bin", {"home/bin"}),
        ("home/.local/bin", {"home/.local/bin"}),
        ("home/notes/bin", {"home/notes/bin"}),
        ("home/conda/bin", {"home/conda"}),
        ("opt/tool/bin", {"opt/tool"}),
        ("opt/tool", {"opt/tool"}),
        ("home/code/ws/.venv/bin", set()),
    ],
)
def test_what_a_folder_of_path_opens(machine: Machine, folder: str, granted: set[str]) -> None:
    opened = machine.granted(folder)
    assert {each for each in opened - VENV if not each.startswith("home/code/ws/.venv/bin/")} == granted
    assert opened >= VENV


@pytest.mark.parametrize("target", ["home/code/ws/bin", "home/code/ws", "home", "."])
def test_a_link_opens_no_more_than_what_it_leads_to(machine: Machine, target: str) -> None:
    (machine.top / "opt/link").symlink_to(machine.top / target)
    (machine.top / "opt/other").mkdir()
    (machine.top / "opt/other/bin").symlink_to(machine.top / target)
    before = machine.granted()
    assert machine.granted("opt/link") == before
    assert machine.granted("opt/link/bin") - before <= {"opt/link/bin"}
    assert machine.granted("opt/other/bin") == before


def test_relative_folders_are_withheld(machine: Machine) -> None:
    search = SearchPath(text=f"bin:.::{USUAL}", private=(str(machine.workspace),), personal=())
    assert [each for each, _ in search.withheld] == ["bin", ".", ""]
    assert search.for_programs(()) == USUAL
    assert search.libraries(f"{machine.workspace}/lib::/opt/lib:x") == "/opt/lib"


@given(
    st.lists(st.sampled_from(["home", "code", "ws", "bin", ".venv", "..", "conda", "lib", "opt"]), max_size=6)
)
def test_no_root_contains_what_is_kept(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine").resolve())
    search = machine.search("/".join(parts))
    for root in Roots(search).system:
        real = os.path.realpath(root)
        assert not any(inside(each, real) for each in (*search.private, *search.personal)), root
        assert not inside(real, str(machine.workspace)) or inside(real, search.prefix), root


def test_all_but_what_is_kept(tmp_path: Path) -> None:
    top = tmp_path.resolve()
    for name in ("a/b/ws/x", "a/c", "d"):
        (top / name).mkdir(parents=True)
    (top / "link").symlink_to(top / "a")
    kept = [str(top / "a/b/ws")]
    assert without(str(top), kept) == [str(top / "a/c"), str(top / "d")]
    assert without(str(top / "link"), kept) == [str(top / "a/c")]
    assert without(str(top / "d"), kept) == [str(top / "d")]
    assert without(str(top / "a/b/ws"), kept) == without(str(top / "nothing"), kept) == []


def test_a_workspace_below_a_system_folder(machine: Machine) -> None:
    root = SearchPath(text=USUAL, private=("/usr/share",), personal=())
    system = Roots(root).system
    assert "/usr" not in system and "/usr/share" not in system and "/usr/bin" in system
    everything = SearchPath(text=USUAL, private=("/",), personal=())
    assert everything.for_programs(()) == USUAL


@needs_landlock
@pytest.mark.parametrize(
    "entry", ["{ws}/bin", "{ws}", "{ws}/p/../bin", "{ws}/../link", "{ws}/../around/bin", "{ws}/..", "bin", ""]
)
def test_no_folder_of_path_shows_the_workspace(workspace: WorkspaceFolder, entry: str) -> None:
    secret = workspace.write("secret.txt", "s\n")
    workspace.write("bin/tool", "#!/bin/sh\n").chmod(0o755)
    (workspace.root.parent / "link").symlink_to("ws/bin")
    (workspace.root.parent / "around").mkdir()
    (workspace.root.parent / "around/bin").symlink_to("../ws/bin")
    workspace.env["PATH"] = f"{entry.format(ws=workspace.root)}:{os.environ['PATH']}"
    workspace.build_file(
        "p",
        f"genrule: {{name: read, outs: [a], cmd: 'cat {secret} > $@'}}",
        "genrule: {name: call, outs: [b], cmd: 'tool > $@'}",
    )
    told = workspace.fails("p:all", "-k", code=1)
    assert "warning: actions do not search " in told
    assert "secret.txt is not an input of //p:read: declare it" in told
    assert "tool: command not found" in told


@needs_landlock
def test_a_declared_program_in_the_workspace_is_an_input(workspace: WorkspaceFolder) -> None:
    secret = workspace.write("secret.txt", "s\n")
    tool = workspace.write("bin/tool", "#!/bin/sh\necho one\n")
    tool.chmod(0o755)
    workspace.write("bin/other", "#!/bin/sh\necho other\n").chmod(0o755)
    workspace.env["PATH"] = f"{workspace.root}/bin:{os.environ['PATH']}"
    rule = "genrule: {name: %s, outs: [%s], programs: [tool], cmd: '%s > $@'}"
    workspace.build_file(
        "p", rule % ("a", "a", "tool"), rule % ("b", "b", f"cat {secret}"), rule % ("c", "c", "other")
    )
    workspace.ok("p:a")
    assert workspace.output("p/a").read_text() == "one\n"
    tool.write_text("#!/bin/sh\necho two\n")
    workspace.ok("p:a")
    assert workspace.output("p/a").read_text() == "two\n"
    told = workspace.fails("p:b", "p:c", "-k", code=1)
    assert "secret.txt is not an input of //p:b" in told and "other: Permission denied" in told


@needs_landlock
def test_home_that_is_the_workspace_and_a_workspace_in_shared_memory(
    make_workspace: Callable[[str], WorkspaceFolder], tmp_path: Path
) -> None:
    here = make_workspace("ws")
    here.env["HOME"] = str(here.root)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", here.root / ".venv"], check=True)
    here.env["PATH"] = f"{here.root}/.venv/bin:{here.root}/.local/bin:{os.environ['PATH']}"
    secret = here.write("secret.txt", "s\n")
    here.write(".local/bin/x", "")
    here.build_file("p", f"genrule: {{name: x, outs: [o], cmd: 'cat {secret} > $@'}}")
    assert "secret.txt is not an input of //p:x" in here.fails("p:x", code=1)


@needs_landlock
def test_the_environment_of_stbuild_in_the_workspace_is_seen(workspace: WorkspaceFolder) -> None:
    venv = workspace.root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    site = next((venv / "lib").glob("python*/site-packages"))
    (site / "own.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    (site / "mine.py").write_text("print('mine')\n")
    secret = workspace.write("secret.txt", "s\n")
    workspace.build_file(
        "p",
        "genrule: {name: x, outs: [o], cmd: 'python3 -c \"import mine\" > $@'}",
        f"genrule: {{name: y, outs: [q], cmd: 'cat {secret} > $@'}}",
    )
    environment = {**workspace.environment(), "PATH": f"{venv}/bin:{os.environ['PATH']}"}
    argv = [str(venv / "bin/python"), "-P", "-m", "stbuild", "p:all", "-k"]
    done = subprocess.run(argv, cwd=workspace.root, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "warning" not in done.stderr, done.stderr
    assert workspace.output("p/o").read_text() == "mine\n"
    assert (
        "secret.txt is not an input of //p:y" in done.stderr and "p:x" not in done.stderr.split("failed")[-1]
    )


MOUNTS = {
    "/": "8:1:",
    "/home/me": "8:2:/me",
    "/mnt/all": "8:2:",
    "/opt/x/bin": "8:2:/me/ws/bin",
    "/other": "8:3:/me",
}


@pytest.mark.parametrize(
    ("path", "folder", "found"),
    [
        ("/opt/x/bin", "/home/me/ws", True),
        ("/opt/x", "/home/me/ws", False),
        ("/mnt/all/me/ws/a", "/home/me/ws", True),
        ("/home/me/ws", "/mnt/all", True),
        ("/home/me/ws", "/mnt/all/me", True),
        ("/mnt/all/me/wsx", "/home/me/ws", False),
        ("/other/ws", "/home/me/ws", False),
        ("/home/me/ws", "/", True),
        ("/usr/bin", "/usr", True),
    ],
)
def test_a_folder_that_is_mounted_twice(
    monkeypatch: pytest.MonkeyPatch, path: str, folder: str, found: bool
) -> None:
    search._on_disk.cache_clear()
    monkeypatch.setattr(search, "_mounts", lambda: MOUNTS)
    assert inside(path, folder) is found
    search._on_disk.cache_clear()


def test_mounts_are_read() -> None:
    mounts = search._mounts()
    assert "/" in mounts and not any("\\040" in place for place in mounts)


@needs_landlock
def test_path_leads_into_the_workspace_by_a_mount(workspace: WorkspaceFolder) -> None:
    other = workspace.root.parent / "a b"
    other.mkdir()
    if subprocess.run(
        ["mount", "--bind", workspace.root, other], capture_output=True, check=False
    ).returncode:
        pytest.skip("this user may not mount")
    try:
        workspace.write("bin/x", "x")
        secret = workspace.write("secret", "x")
        workspace.env["PATH"] = f"{other}/bin:{os.environ['PATH']}"
        workspace.build_file("p", f"genrule: {{name: g, outs: [g], cmd: 'cat {secret} > $@'}}")
        told = workspace.fails("p:g", code=1)
    finally:
        subprocess.run(["umount", other], check=True)
    assert f"actions do not search {other}/bin of PATH, which lies in the workspace" in told
