"""Rules of a workspace: templates over trees, header scanning, macros, providers, platforms."""

import json

import pytest

from stbuild.engine.local import landlock
from tests.conftest import WorkspaceFolder
from tests.engine.test_build import counts
from tests.events import check_events

COMPILE = '''
from dataclasses import dataclass

from stbuild.api import Context, File, Tree, rule


@dataclass(frozen=True, kw_only=True)
class CompileInfo:
    objs: Tree
    listing: File


@dataclass(frozen=True, kw_only=True)
class Compile:
    kernels: int = 2


@rule
def compile(ctx: Context[Compile]) -> CompileInfo:
    """Generate sources, compile each, list the objects."""
    sources, objs, listing = ctx.output_tree("src"), ctx.output_tree("obj"), ctx.output("list.txt")
    params = ctx.params("params.json", {"kernels": ctx.attrs.kernels})
    text = """mkdir -p $1; for i in $(seq 1 $(tr -dc 0-9 < $0)); do
        printf '#include "h%s.hpp"\\\\nint f() { return VALUE; }\\\\n' $i > $1/k$i.cpp; done"""
    ctx.run("Generate", ("/bin/bash", "-c", text, params, sources))
    headers = ctx.folder("include")
    ctx.run_each(
        "Compile",
        over=sources,
        pattern="*.cpp",
        out_tree=objs,
        out_suffix=".o",
        tools=["g++"],
        include_dirs=[headers],
        command=lambda item, out: ("g++", "-c", ("-I", headers), item, "-o", out),
    )
    ctx.run("List", ("/bin/bash", "-c", "ls $0 > $1", objs, listing))
    return CompileInfo(objs=objs, listing=listing)
'''

PLATFORM = '''
from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Card:
    pass


@rule
def card(ctx: Context[Card]) -> FilesInfo:
    """Write the platform's name, and apart from it a file that does not depend on it."""
    out, same = ctx.output("card.txt"), ctx.output("same.txt")
    params = ctx.params("p.json", {"name": ctx.platform.name, "target": ctx.toolchain().name})
    ctx.run("Card", ("/bin/cp", params, out))
    ctx.run("Same", ("/bin/bash", "-c", "echo same > $0", same))
    return FilesInfo(files=(out, same))
'''


@pytest.fixture
def kernels(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """A target that compiles what it generates."""
    workspace.write("rules/compile.py", COMPILE)
    for i in range(1, 5):
        workspace.write(f"p/include/h{i}.hpp", f"#define VALUE {i}\n")
    workspace.build_file("p", "compile: {name: k, kernels: 2}")
    return workspace


def test_a_template_has_one_action_a_file(kernels: WorkspaceFolder) -> None:
    assert counts(kernels.ok("p:k").status) == (4, 0)
    assert kernels.output("p/k/list.txt").read_text() == "k1.o\nk2.o\n"
    assert counts(kernels.ok("p:k").status) == (0, 4)
    kernels.build_file("p", "compile: {name: k, kernels: 3}")
    assert counts(kernels.ok("p:k").status) == (3, 2)
    assert kernels.output("p/k/list.txt").read_text() == "k1.o\nk2.o\nk3.o\n"
    kernels.build_file("p", "compile: {name: k, kernels: 1}")
    assert counts(kernels.ok("p:k").status) == (2, 1)
    assert [path.name for path in kernels.output("p/k/obj").iterdir()] == ["k1.o"]


def test_a_template_adds_its_actions_to_the_count(kernels: WorkspaceFolder) -> None:
    assert "[4/4] ran    //p:k List" in kernels.ok("p:k").err
    kernels.build_file("p", "compile: {name: k, kernels: 3}")
    assert "[3/3] ran    //p:k List" in kernels.ok("p:k").err
    told = [event for event in kernels.events() if event["event"] == "template_expanded"]
    assert [event["actions"] for event in told] == [3]
    assert check_events(kernels.events()) >= {"template_expanded", "action_clean"}


def test_a_header_concerns_only_who_reaches_it(kernels: WorkspaceFolder) -> None:
    kernels.ok("p:k")
    kernels.write("p/include/h2.hpp", "#define VALUE 20\n")
    assert counts(kernels.ok("p:k").status) == (2, 2)
    kernels.write("p/include/h4.hpp", "#define VALUE 40\n")
    assert counts(kernels.ok("p:k").status) == (0, 4)
    kernels.write("p/include/h1.hpp", '#include "deep.hpp"\n')
    kernels.write("p/include/deep.hpp", "#define VALUE 1\n")
    assert counts(kernels.ok("p:k").status)[0] in (1, 2)
    kernels.write("p/include/deep.hpp", "#define VALUE 100\n")
    assert counts(kernels.ok("p:k").status) == (2, 2)


def test_a_file_added_to_a_tree_by_hand_is_removed(kernels: WorkspaceFolder) -> None:
    kernels.ok("p:k")
    stray = kernels.output("p/k/obj/stray.o")
    stray.write_text("x")
    kernels.output("p/k/src/stray.cpp").write_text("x")
    kernels.ok("p:k")
    assert not stray.exists()
    assert not kernels.output("p/k/src/stray.cpp").exists()


def test_configuration_reaches_only_who_asks_for_it(workspace: WorkspaceFolder) -> None:
    workspace.write("rules/card.py", PLATFORM)
    workspace.build_file("p", "card: {name: c}")
    assert counts(workspace.ok("p:c").status) == (2, 0)
    assert counts(workspace.ok("p:c", "--platform", "u280").status) == (1, 1)
    assert (
        workspace.output("p/c/card.txt", "u280-sw_emu").read_text() == '{"name":"u280","target":"sw_emu"}\n'
    )


def test_params_hold_the_values_of_the_api(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "rules/told.py",
        "from dataclasses import dataclass, replace\n"
        "from stbuild.api import Context, File, FilesInfo, Label, Policy, Resources, rule\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Told:\n    about: Label\n    src: File\n\n"
        "@rule\ndef told(ctx: Context[Told]) -> FilesInfo:\n"
        "    policy = replace(Policy(), resources=Resources(cpu=2))\n"
        "    params = ctx.params('params.json', (ctx.attrs, policy.resources))\n"
        "    out = ctx.output('out.json')\n"
        "    ctx.run('Copy', ('cp', params, out), policy=policy)\n"
        "    return FilesInfo(files=(out,))\n",
    )
    workspace.write("p/a.txt", "a")
    workspace.build_file("p", "told: {name: t, about: '//q:b', src: a.txt}")
    workspace.ok("p:t")
    attrs, resources = json.loads(workspace.output("p/t/out.json").read_text())
    assert attrs == {"about": {"package": "q", "name": "b"}, "src": "in/p/a.txt"}
    assert resources == {"cpu": 2, "memory_mb": 0, "named": [], "semantic": []}


def test_an_action_changes_the_folders_of_the_machine_that_it_declares(
    workspace: WorkspaceFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As the runtime of a card keeps its sockets in /tmp; without `writes` the wall is in between."""
    folder = tmp_path_factory.mktemp("machine")
    for name, policy in (("open", f"Policy(writes=('{folder}',))"), ("shut", "Policy()")):
        workspace.write(
            f"rules/{name}_folder.py",
            "from dataclasses import dataclass\n"
            "from stbuild.api import Context, FilesInfo, Policy, rule\n\n"
            f"@dataclass(frozen=True, kw_only=True)\nclass {name.title()}Folder:\n    pass\n\n"
            f"@rule\ndef {name}_folder(ctx: Context[{name.title()}Folder]) -> FilesInfo:\n"
            "    out = ctx.output('out.txt')\n"
            f"    argv = ('tee', '{folder}/{name}.txt', out)\n"
            f"    ctx.run('Tee', argv, policy={policy})\n"
            "    return FilesInfo(files=(out,))\n",
        )
    workspace.build_file("p", "open_folder: {name: o}", "shut_folder: {name: s}")
    workspace.ok("p:o")
    assert (folder / "open.txt").exists()
    if landlock.version():
        assert "shut.txt: Permission denied" in workspace.fails("p:s", code=1)


def test_a_macro_makes_targets_that_can_be_built_alone(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "rules/twice.py",
        "from dataclasses import dataclass\nfrom stbuild.api import Entry, macro\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Twice:\n"
        "    text: str = 'a'\n    weights: str | None = None\n\n"
        "@macro(default='second')\ndef twice(name: str, attrs: Twice) -> list[Entry]:\n"
        "    first = {'name': 'first', 'outs': ['1.txt'], 'cmd': f'echo {attrs.text} {attrs.weights} > $@'}\n"
        "    second = {'name': 'second', 'srcs': [':first'], 'outs': ['2.txt'], 'cmd': 'cp $< $@'}\n"
        "    return [{'genrule': first}, {'genrule': second}]\n",
    )
    workspace.build_file("p", "twice: {text: b}")
    assert counts(workspace.ok("p:first").status) == (1, 0)
    assert counts(workspace.ok("p").status) == (1, 1)
    assert workspace.output("p/2.txt").read_text() == "b None\n"
    workspace.ok("p", "--set", "//p:p.text=c")
    assert workspace.output("p/2.txt").read_text() == "c None\n"
    weights = workspace.write("weights.bin", "w")
    workspace.ok("p", "--weights", "weights.bin")
    assert workspace.output("p/2.txt").read_text() == f"b {weights}\n"


def test_select_and_glob(workspace: WorkspaceFolder) -> None:
    for name in ("a.txt", "b.txt", "sub/c.txt", "d.bin"):
        workspace.write(f"p/{name}", name + "\n")
    workspace.build_file("p/other", "filegroup: {name: x}")
    workspace.write("p/other/e.txt", "not ours\n")
    workspace.build_file(
        "p",
        "genrule: {name: all, srcs: [{glob: ['**/*.txt'], exclude: [b.txt]}, d.bin], outs: [all.out], "
        "cmd: 'cat $(SRCS) > $@'}",
        "genrule: {name: s, outs: [s.out], "
        "cmd: {select: {u280: 'echo u280 > $@', default: 'echo else > $@'}}}",
    )
    workspace.ok("p:s", "//p:all")
    assert workspace.output("p/s.out").read_text() == "else\n"
    workspace.ok("p:s", "--platform", "u280")
    assert workspace.output("p/s.out", "u280-sw_emu").read_text() == "u280\n"
    assert workspace.output("p/all.out").read_text() == "a.txt\nsub/c.txt\nd.bin\n"
    workspace.write("p/sub/f.txt", "new\n")
    workspace.ok("//p:all")
    assert workspace.output("p/all.out").read_text() == "a.txt\nsub/c.txt\nnew\nd.bin\n"


def test_an_external_file_is_hashed_once_and_linked(workspace: WorkspaceFolder) -> None:
    big = workspace.root.parent / "weights.bin"
    big.write_bytes(b"x" * 100)
    workspace.build_file("p", f"genrule: {{name: g, srcs: [{big}], outs: [n.txt], cmd: 'wc -c < $< > $@'}}")
    workspace.ok("p:g")
    assert workspace.output("p/n.txt").read_text() == "100\n"
    big.write_bytes(b"y" * 101)
    workspace.ok("p:g")
    assert workspace.output("p/n.txt").read_text() == "101\n"
