"""What an action leaves behind is taken as declared, and nothing else is taken, followed or removed."""

import os
import shutil
import subprocess

import pytest

from tests.conftest import WorkspaceFolder
from tests.engine.unprivileged import run_as_user


@pytest.mark.parametrize("kind", ["auto", "off"])
def test_an_output_that_leads_out_of_its_folder(workspace: WorkspaceFolder, kind: str) -> None:
    secret = workspace.write("p/secret", "x")
    workspace.write("p/a", "a")
    workspace.build_file(
        "p",
        f"genrule: {{name: g, outs: [g], cmd: 'ln -s {secret} tmp/x; ln -s ../tmp/x $@'}}",
        "genrule: {name: i, srcs: [a], outs: [i], cmd: 'ln -s ../$< $@'}",
    )
    told = workspace.fails("p:g", f"--sandbox={kind}", code=1)
    assert f"made out/g a link to {secret}, which is no input: copy it" in told
    workspace.ok("p:i", f"--sandbox={kind}")
    assert workspace.output("p/i").read_text() == "a"


TREE_RULE = '''
from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Grow:
    cmd: str


@rule
def grow(ctx: Context[Grow]) -> FilesInfo:
    """Make a tree."""
    tree = ctx.output_tree("t")
    ctx.run("Grow", ("/bin/bash", "-euc", f"mkdir out/t; {ctx.attrs.cmd}"), outputs=[tree])
    return FilesInfo(files=(tree,))
'''

MEMBERS = {
    "mkfifo out/t/x": "made out/t/x, which is neither a file nor a folder",
    "ln -s nothing out/t/x": "made out/t/x a link to no file: copy what it stands for",
    "ln -s . out/t/x": "made out/t/x a link to a folder: copy what it stands for",
    "ln -s /etc/passwd out/t/x": "made out/t/x a link to /etc/passwd, which is no input: copy it",
}


@pytest.mark.parametrize("command", MEMBERS)
def test_what_a_tree_cannot_hold(workspace: WorkspaceFolder, command: str) -> None:
    workspace.write("rules/grow.py", TREE_RULE)
    workspace.build_file("p", f"grow: {{name: g, cmd: '{command}'}}")
    assert MEMBERS[command] in workspace.fails("p:g", code=1)


@pytest.mark.parametrize("mode", ["000", "500"])
def test_folders_of_a_tree_without_rights(workspace: WorkspaceFolder, mode: str) -> None:
    workspace.write("rules/grow.py", TREE_RULE)
    command = f"mkdir -p out/t/a/b; echo 1 > out/t/a/b/c; ln -s b/c out/t/a/d; chmod {mode} out/t/a/b out/t/a"
    workspace.build_file("p", f"grow: {{name: g, cmd: '{command}'}}")
    done = run_as_user(workspace, "p:g")
    assert done.returncode == 0, done.stderr
    tree = workspace.output("p/g/t")
    found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert found == {"a/b/c", "a/d"}


def test_a_pipe_among_the_inputs(workspace: WorkspaceFolder) -> None:
    pipe = workspace.write("p/folder/a", "a").with_name("pipe")
    os.mkfifo(pipe)
    workspace.build_file("p", "genrule: {name: g, srcs: [folder], outs: [g], cmd: 'ls $< > $@'}")
    assert f"error: {pipe} is neither a file nor a folder" in workspace.fails("p:g")


READ_RULE = '''
from dataclasses import dataclass

from stbuild.api import Context, File, FilesInfo, Tree, rule


@dataclass(frozen=True, kw_only=True)
class Read:
    cmd: str
    tree: Tree | None = None
    srcs: tuple[File, ...] = ()
    out: str = "o"
    made: bool = False


@rule
def read(ctx: Context[Read]) -> FilesInfo:
    """Run a command over a folder and files."""
    out = ctx.output_tree("t") if ctx.attrs.made else ctx.output(ctx.attrs.out)
    inputs = [*ctx.attrs.srcs, *([ctx.attrs.tree] if ctx.attrs.tree else [])]
    ctx.run("Read", ("/bin/bash", "-euc", ctx.attrs.cmd), inputs=inputs, outputs=[out])
    return FilesInfo(files=(out,))
'''


@pytest.mark.parametrize("kind", ["auto", "off"])
def test_an_output_through_a_link_to_an_input_leaves_the_input_alone(
    workspace: WorkspaceFolder, kind: str
) -> None:
    workspace.write("rules/read.py", READ_RULE)
    source = workspace.write("p/data/x.txt", "x")
    workspace.build_file(
        "p",
        "read: {name: t, tree: data, made: true, cmd: 'ln -s ../in/p/data out/t'}",
        "read: {name: f, tree: data, out: s/x.txt, cmd: 'rm -r out/s; ln -s ../in/p/data out/s'}",
    )
    for name, made in (("t", "out/t"), ("f", "out/s")):
        told = workspace.fails(f"p:{name}", f"--sandbox={kind}", code=1)
        assert f"made {made} a link to a folder: copy what it stands for" in told
    assert source.read_text() == "x"


def test_a_folder_and_files_of_it_are_inputs_of_several_actions(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/read.py", READ_RULE)
    sources = [workspace.write(f"p/data/{name}.txt", name) for name in "xyz"]
    workspace.build_file(
        "p",
        "read: {name: a, srcs: [data/x.txt], cmd: 'ls in/p/data > out/o'}",
        "read: {name: b, srcs: [':a'], tree: data, cmd: 'ls in/p/data > out/o'}",
        "read: {name: c, srcs: [':b', data/y.txt], cmd: 'cat in/p/data/y.txt > out/o'}",
        "read: {name: d, srcs: [':c'], tree: data, cmd: 'ls in/p/data > out/o'}",
    )
    workspace.ok("p:d", "--sandbox=off")
    assert [source.read_text() for source in sources] == ["x", "y", "z"]
    assert workspace.output("p/d/o").read_text() == "x.txt\ny.txt\nz.txt\n"


def test_a_hidden_folder_within_an_input_counts(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/read.py", READ_RULE)
    workspace.write("p/data/.hidden/x", "one")
    workspace.build_file("p", "read: {name: a, tree: data, cmd: 'cat in/p/data/.hidden/x > out/o'}")
    workspace.ok("p:a")
    workspace.write("p/data/.hidden/x", "two")
    workspace.ok("p:a")
    assert workspace.output("p/a/o").read_text() == "two"


def test_an_output_that_becomes_a_folder(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: g, outs: [b], cmd: 'echo 1 > $@'}")
    workspace.ok("p:g")
    workspace.build_file("p", "genrule: {name: g, outs: [b/c], cmd: 'echo 2 > $@'}")
    workspace.ok("p:g")
    assert workspace.output("p/b/c").read_text() == "2\n"


def test_a_shell_in_the_work_folder_survives_the_next_build(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: g, outs: [b], cmd: 'exit 1'}")
    workspace.fails("p:g", "--keep-dirs", code=1)
    (kept,) = (path for path in (workspace.root / "stbuild-out/.stbuild/work").iterdir() if path.is_dir())
    with subprocess.Popen(["sleep", "60"], cwd=kept) as shell:
        workspace.fails("p:g", code=1)
        assert shell.poll() is None
        shell.kill()


EACH_RULE = '''
from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Spread:
    cmd: str


@rule
def spread(ctx: Context[Spread]) -> FilesInfo:
    """Make a tree, and a copy of each of its files."""
    tree, copies = ctx.output_tree("t"), ctx.output_tree("copies")
    ctx.run("Grow", ("/bin/bash", "-euc", f"mkdir out/t; {ctx.attrs.cmd}"), outputs=[tree])
    ctx.run_each(
        "Copy", over=tree, pattern="**", out_tree=copies, out_suffix=".o",
        command=lambda item, out: ("/bin/cp", item, out),
    )
    return FilesInfo(files=(copies,))
'''


def test_two_files_of_a_tree_that_make_one_output(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/spread.py", EACH_RULE)
    workspace.build_file("p", "spread: {name: s, cmd: 'echo 1 > out/t/a.c; echo 2 > out/t/a.h'}")
    told = workspace.fails("p:s", code=1)
    assert "//p:s: a.c and a.h both make p/s/copies/a.o" in told


def test_a_link_in_the_place_of_a_template_s_tree(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/spread.py", EACH_RULE)
    workspace.build_file("p", "spread: {name: s, cmd: 'echo 1 > out/t/a.c'}")
    workspace.ok("p:s")
    precious = workspace.write("elsewhere/file", "x")
    copies = workspace.output("p/s/copies")
    shutil.rmtree(copies)
    copies.symlink_to(precious.parent)
    workspace.ok("p:s")
    assert precious.read_text() == "x"
    assert (copies / "a.o").read_text() == "1\n"


def test_gc_of_a_cache_with_a_damaged_tree(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/spread.py", EACH_RULE)
    workspace.build_file("p", "spread: {name: s, cmd: 'echo 1 > out/t/a.c'}")
    workspace.ok("p:s")
    for manifest in workspace.cache.glob("cas/*/*t"):
        manifest.unlink()
        manifest.write_text("{broken")
    workspace.ok("cache", "gc", "--max-size", "1G")
    workspace.ok("p:s")
