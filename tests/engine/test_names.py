"""Every accepted name stays below the folder that it is joined with, and is one that programs can take."""

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.engine.graph.artifact import File, Origin
from stbuild.engine.graph.label import parse_label, parse_pattern
from stbuild.engine.graph.names import PART_BYTES, PATH_BYTES, path_problem, text_problem
from stbuild.engine.load.checks import action_problem, variable_problem
from stbuild.errors import StbuildError
from tests.conftest import WorkspaceFolder

HOSTILE = {
    "": "is empty",
    "/abs": "is absolute",
    "/": "is absolute",
    ".": "has the part '.'",
    "..": "has the part '..'",
    "../../../../victim": "has the part '..'",
    "a/../../b": "has the part '..'",
    "a/./b": "has the part '.'",
    "a/..": "has the part '..'",
    "a/": "ends with a slash",
    "a//b": "has two slashes in a row",
    "-x": "starts with '-'",
    "--help": "starts with '-'",
    "a/-rf": "starts with '-'",
    "a" * 300: "has a part of 300 bytes",
    "é" * 150: "has a part of 300 bytes",
    "a/" * 600 + "a": "has 1201 bytes",
    "a\0b": "holds the character '\\x00'",
    "a\nb": "holds the character '\\n'",
    "a\x7f": "holds the character '\\x7f'",
    "a\x1b[31m": "holds the character '\\x1b'",
    "a\u2028b": "holds the character '\\u2028'",
    "\udc80": "holds the character '\\udc80'",
}
PIECES = st.sampled_from(["..", ".", "/", "a", "-", "b.txt", "\n", "\0", " ", "é", "~", "$(x)", "\\"])
PATHS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30)


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: ascii(path[:20]))
def test_hostile_names_are_refused(path: str) -> None:
    assert HOSTILE[path] in path_problem(path)
    with pytest.raises(StbuildError, match="is not a label"):
        parse_label(f"//p:{path}", package="")
    if not path.endswith("/") and path:
        with pytest.raises(StbuildError, match="is not a label: its package"):
            parse_label(f"//{path}:x", package="")


@pytest.mark.parametrize("path", ["a", "a.b/c", "a b", "...", "..a", "a-", "ünïcode/日本", "a" * PART_BYTES])
def test_usual_names_are_accepted(path: str) -> None:
    assert path_problem(path) == ""


@given(PATHS)
def test_an_accepted_path_stays_in_its_folder(path: str) -> None:
    if path_problem(path):
        return
    joined = posixpath.normpath(posixpath.join("/top/folder", path))
    assert joined == f"/top/folder/{path}"
    assert len(os.fsencode(path)) <= PATH_BYTES
    assert not any(part.startswith("-") for part in path.split("/"))
    assert not set(path) & set("\0\n\r\x1b\x7f")


@given(PATHS, st.sampled_from(["", "p", "p/q"]))
def test_an_accepted_label_and_its_outputs_stay_in_their_folders(text: str, package: str) -> None:
    for parse in (parse_label, parse_pattern):
        try:
            found = parse(text, package=package)
        except StbuildError:
            continue
        folder = posixpath.normpath(f"/out/{found.package}/{found.name or 'x'}")
        assert folder == f"/out/{found.package}/{found.name or 'x'}".replace("//", "/")
        file = File(path=f"{found.package}/{found.name}/o", origin=Origin.OUTPUT)
        assert posixpath.normpath(f"/action/{file.staged}").startswith("/action/in/")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("A=B", "x", "the name of environment variable 'A=B' holds '='"),
        ("=", "x", "holds '='"),
        ("", "x", "an environment variable has an empty name"),
        ("A\0", "x", "the name of environment variable 'A\\x00' holds the character NUL"),
        ("A", "x\0", "the value of environment variable 'A' holds the character NUL"),
        ("A", "\ud800", "the value of environment variable 'A' holds half of a surrogate pair"),
        ("A", 1, "environment variable 'A' takes a text, got 1"),
    ],
)
def test_hostile_variables_are_refused(name: str, value: str, sentence: str) -> None:
    assert sentence in variable_problem(name, value)
    problem = action_problem(("true",), {name: value}, (), "", ())
    assert problem is not None and problem.attribute == "env"


@pytest.mark.parametrize("name", ["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_export%%"])
def test_variables_that_change_a_shell(workspace: WorkspaceFolder, name: str) -> None:
    """`export() { set +e; }` made a failing test pass."""
    assert action_problem(("/usr/bin/env",), {name: "x"}, (), "", ()) is None
    rules = ("genrule: {name: x, outs: [o]", "genrule: {name: x, outs: [o], shell: sh", "sh_test: {name: x")
    for rule in rules:
        workspace.build_file("p", f"{rule}, cmd: 'false', env: {{'{name}': '() {{ set +e; }}'}}}}")
        told = workspace.fails("p:all")
        assert f"error: p/BUILD.yaml:2: //p:x: environment variable {name!r} would change" in told


@given(st.text(), st.text())
def test_an_accepted_variable_can_be_given_to_a_process(name: str, value: str) -> None:
    if not variable_problem(name, value):
        assert "=" not in name and name and b"\0" not in os.fsencode(name) + os.fsencode(value)


@given(st.text(alphabet=st.characters()))
def test_an_accepted_argument_can_be_encoded(text: str) -> None:
    if not text_problem(text):
        assert b"\0" not in text.encode()


def test_programs_are_names_or_absolute_paths() -> None:
    for tool in ("../x", "bin/x", "./x", ""):
        problem = action_problem(("true",), None, (tool,), "", ())
        assert problem is not None and problem.attribute == "programs", tool
    assert action_problem(("true",), None, ("g++", "/opt/x/bin/y"), "", ()) is None


RULE = '''
from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, Policy, Tree, rule


@dataclass(frozen=True, kw_only=True)
class Free:
    path: str = "x"
    what: str = "output"


@rule
def free(ctx: Context[Free]) -> FilesInfo:
    """Hand a text of BUILD.yaml to the context."""
    path, out = ctx.attrs.path, ctx.output("good")
    match ctx.attrs.what:
        case "env":
            ctx.run("Do", ("/bin/true", out), env={path: "x"})
        case "value":
            ctx.run("Do", ("/bin/true", out), env={"A": path.replace("NUL", chr(0))})
        case "argv":
            ctx.run("Do", ("/bin/true", path.replace("NUL", chr(0)), out))
        case "report":
            ctx.run("Do", ("/bin/true", out), policy=Policy(report=path))
        case "suffix":
            tree = ctx.output_tree("t")
            ctx.run("Grow", ("/bin/true", tree))
            ctx.run_each("E", over=tree, pattern="*", out_tree=ctx.output_tree("u"), out_suffix=path,
                         command=lambda item, made: ("/bin/true", item, made))
        case "each":
            tree = ctx.output_tree("t")
            ctx.run("Grow", ("/bin/true", tree))
            ctx.run_each("E", over=tree, pattern="*", out_tree=ctx.output_tree("u"), out_suffix=".o",
                         command=lambda item, made: ("bash", "-c", "true", item, made), env={path: "x"})
        case "params":
            ctx.params(path, {})
        case method:
            getattr(ctx, method)(path)
    return FilesInfo()
'''


@pytest.mark.parametrize(
    ("what", "path", "sentence"),
    [
        ("output", "../../v", "output '../../v' has the part '..'"),
        ("each", "BASH_ENV", "'BASH_ENV' would change what the commands of a shell mean"),
        ("output_tree", "..", "output '..' has the part '..'"),
        ("package_output", "/v", "output '/v' is absolute"),
        ("params", "../v", "parameter file '../v' has the part '..'"),
        ("folder", "../../..", "folder '../../..' has the part '..'"),
        ("source", "../pyproject.toml", "no file '../pyproject.toml' in //p"),
        ("builtin", "../..", "built-in folder '../..' has the part '..'"),
        ("builtin_file", "/etc/passwd", "built-in file '/etc/passwd' is absolute"),
        ("suffix", "/../../v", "suffix of outputs 'x/../../v' has the part '..'"),
        ("external", "/usr/..", "'/usr/..' does not end with the name of a file or folder"),
        ("env", "A=B", "the name of environment variable 'A=B' holds '='"),
        ("value", "aNUL", "the value of environment variable 'A' holds the character NUL"),
        ("argv", "aNUL", "the argument 'a\\x00' holds the character NUL"),
        ("report", "../../victim", "the report '../../victim' is no output of the action"),
    ],
)
def test_a_rule_cannot_leave_its_folders(
    workspace: WorkspaceFolder, what: str, path: str, sentence: str
) -> None:
    workspace.write("rules/free.py", RULE)
    workspace.build_file("p", f"free: {{name: x, what: {what}, path: '{path}'}}")
    told = workspace.fails("p:all")
    assert told.startswith("error: p/BUILD.yaml:2: ") and sentence in told


@pytest.mark.parametrize("name", ["../../../../victim", ".", "-x", "--help", "a" * 300])
def test_a_target_deletes_and_writes_nothing_outside(workspace: WorkspaceFolder, name: str) -> None:
    victim = workspace.write("../victim/x", "precious")
    workspace.build_file("p", "filegroup: {name: y}", f"sh_test: {{name: '{name}', cmd: 'true'}}")
    told = workspace.fails("test", "p:all")
    assert told.startswith("error: p/BUILD.yaml:3: ") and "is not a label: its name has" in told
    assert [each.name for each in victim.parent.iterdir()] == ["x"] and victim.read_text() == "precious"


def test_a_macro_names_targets_that_are_names(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "rules/many.py",
        "from dataclasses import dataclass\nfrom stbuild.api import macro\n\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Many:\n    made: str | None = None\n\n\n"
        "@macro()\ndef many(name: str, attrs: Many):\n    return [{'filegroup': {'name': attrs.made}}]\n",
    )
    workspace.build_file("p", "many: {name: m, made: ../../v}")
    assert "error: p/BUILD.yaml:2: '//p:../../v' is not a label: its name has" in workspace.fails("p:all")
    workspace.build_file("p", "many: {name: m}")
    assert "error: p/BUILD.yaml:2: macro many gave a filegroup the name None" in workspace.fails("p:all")


def test_a_file_has_one_path_however_it_is_spelt(workspace: WorkspaceFolder) -> None:
    workspace.write("p/d/a.txt", "a\n")
    workspace.build_file(
        "p", "genrule: {name: x, srcs: [d/a.txt, ./d/a.txt, d//a.txt], outs: [o], cmd: 'cat $< > $@'}"
    )
    workspace.ok("p:x")
    assert workspace.output("p/o").read_text() == "a\n"


def test_what_a_build_made_is_no_source(workspace: WorkspaceFolder) -> None:
    made = "stbuild-out/u55c-sw_emu/o"
    rule = "genrule: {name: %s, srcs: [%s], outs: [%s], cmd: 'echo $(SRCS) > $@'}"
    entries = (rule % ("x", "", "o"), rule % ("y", made, "q"))
    workspace.write("BUILD.yaml", "targets:\n" + "".join(f"  - {each}\n" for each in entries))
    workspace.ok("//:x")
    told = workspace.fails("//:y")
    assert f"BUILD.yaml:3: {made!r} was made by a build (write the label of the target" in told


@pytest.mark.parametrize("folder", ["u55c-sw_emu", "u55c-sw_emu/p", "testlogs", "testlogs/p/t"])
def test_a_link_among_the_outputs_is_not_followed(workspace: WorkspaceFolder, folder: str) -> None:
    """Neither by the build that writes an output, nor by the report of a test, nor by `clean`."""
    victim = workspace.write("../victim/x", "precious").parent
    (victim / "test.xml").write_text("precious")
    (victim / "p").mkdir()
    (victim / "p/x").write_text("precious")
    before = {path: path.read_text() for path in victim.rglob("*") if path.is_file()}
    workspace.build_file(
        "p", "genrule: {name: x, outs: [x], cmd: 'echo new > $@'}", "sh_test: {name: t, cmd: 'true'}"
    )
    link = workspace.root / "stbuild-out" / folder
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    workspace.ok("p:x")
    workspace.ok("test", "p:t")
    assert workspace.output("p/x").read_text() == "new\n"
    workspace.ok("clean")
    assert {path: path.read_text() for path in victim.rglob("*") if path.is_file()} == before


def test_clean_leaves_alone_what_lies_beside_linked_outputs(workspace: WorkspaceFolder) -> None:
    other = workspace.write("../disk/other/x", "precious")
    (workspace.root / "stbuild-out").symlink_to("../disk")
    workspace.build_file("p", "genrule: {name: x, outs: [x], cmd: 'echo new > $@'}")
    workspace.ok("p:x")
    workspace.ok("clean")
    assert other.read_text() == "precious" and not workspace.output("p").exists()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("alias: {name: a}", "p/BUILD.yaml:2: alias 'a' needs the attribute 'actual', a label"),
        ("alias: {name: a, actuel: x}", "alias has no attribute 'actuel' (did you mean 'actual'?)"),
        ("alias: {name: a, actual: ../../x}", "'../../x' is not a label: its name has the part '..'"),
        ("filegroup: {name: x, srcs: ['']}", "'' is not a label: its name is empty"),
        ("sh_test: {name: x, shards: 1000000, cmd: x}", "shards takes 1 to 1000, got 1000000"),
        ("filegroup: {srcs: " + "[" * 3000 + "]" * 3000 + "}", "lists or maps are nested too deeply"),
    ],
)
def test_hostile_build_files(workspace: WorkspaceFolder, entry: str, sentence: str) -> None:
    workspace.build_file("p", entry)
    told = workspace.fails("p:all")
    assert told.startswith("error: p/BUILD.yaml") and sentence in told


def test_a_long_label_on_the_command_line(workspace: WorkspaceFolder) -> None:
    assert "is not a label: its package has " in workspace.fails("a" * 5000)
