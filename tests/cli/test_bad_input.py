"""A user's mistake is told in one sentence that says what is wrong, where, and what to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import GOOD
from tests.conftest import WorkspaceFolder


def test_outside_of_a_workspace(workspace: WorkspaceFolder) -> None:
    (workspace.root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "is in no stbuild workspace (" in workspace.fails("//...")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("p:goood",), "error: no target 'goood' in //p (did you mean 'good'?)"),
        (("//q:x",), "error: no package //q (for //q:x)"),
        (
            (":x",),
            "error: :x is a target of the folder that you stand in, which is no package (BUILD.yaml does not",
        ),
        (("r",), "error: no package //r (for //r:r) (//r/... are the packages below it)"),
        (
            ("//p:a b",),
            "error: '//p:a b' is not a label (labels look like //package:name, :name or //folder/..., in",
        ),
        (("p:good", "--platform", "u55d"), "no platform 'u55d' (did you mean 'u55c'?)"),
        (("p:good", "--target", "hw_em"), "error: no target 'hw_em' (did you mean 'hw_emu'?)"),
        (("p:good", "--jobz", "3"), "error: unknown option '--jobz' (did you mean '--jobs'?)"),
        (("p:good", "--jobs", "0"), "takes a positive number, got '0'"),
        (("p:good", "--set", "x=1"), "--set takes //package:target.attribute=value, got 'x=1'"),
        (("p:good", "--weights", "/nowhere"), "--weights: /nowhere does not exist"),
        (("run", "p:good"), "p/BUILD.yaml:2: //p:good cannot be run"),
        (("test", "p:good"), "no test among these targets"),
        (("query", "depz(//p:good)"), "query: no function 'depz' (did you mean 'deps'?)"),
    ],
)
def test_command_line(good: WorkspaceFolder, args: tuple[str, ...], sentence: str) -> None:
    good.build_file("r/s", GOOD)
    assert sentence in good.fails(*args)


def test_an_unknown_platform_in_the_workspace(good: WorkspaceFolder) -> None:
    good.write("pyproject.toml", "[tool.stbuild]\nplatform = 'u55d'\n")
    assert "pyproject.toml: no platform 'u55d' (did you mean 'u55c'?)" in good.fails("p:good")


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("genrul: {name: x}", "p/BUILD.yaml:2: no rule 'genrul' (did you mean 'genrule'?)"),
        (
            "genrule: {name: x, outz: [y], cmd: z}",
            "genrule 'x' has no attribute 'outz' (did you mean 'outs'?)",
        ),
        ("genrule: {name: x, outs: [y]}", "p/BUILD.yaml:2: genrule 'x' needs the attribute 'cmd', a text"),
        (
            "genrule: {name: x, srcs: [/dev/zero], outs: [y], cmd: z}",
            "p/BUILD.yaml:2: /dev/zero is neither a file nor a directory",
        ),
        ("genrule: {name: on, outs: [y], cmd: z}", "2: genrule needs a `name`, a text, got true (quote it)"),
        ("genrule: {<<: {name: x}, outs: [y]}", "BUILD.yaml:2: merge keys (`<<`) are not understood"),
        ("genrule: {name: x, ? [k] : v}", "BUILD.yaml:2: an attribute's name is a text"),
        ("genrule: {name: x, outs: [/tmp/y], cmd: z}", "2: //p:x: output '/tmp/y' is absolute: it must be"),
        ("genrule: {name: x, outs: ['.'], cmd: z}", "output '.' has the part '.': it must stay below its"),
        ("genrule: {name: x, outs: [d, d/y], cmd: z}", "2: p/d/y lies in p/d, which is an output too"),
        ('genrule: {name: x, outs: [y], cmd: "z\\0"}', "BUILD.yaml:2: a text here holds the character NUL"),
        ("genrule: {name: x, outs: [y], cmd: z, cpu: .nan}", "cpu takes 0 or more, got nan"),
        (
            "genrule: {name: x, srcs: [{glob: ['../*']}], outs: [y], cmd: z}",
            "glob pattern '../*' leaves the package",
        ),
        (
            "genrule: {name: x, srcs: [{glob: ['*'], excludes: [a]}], outs: [y], cmd: z}",
            "glob has no 'excludes' (did you mean 'exclude'?)",
        ),
        ("genrule: {name: x, outs: 3, cmd: z}", "genrule 'x': attribute 'outs' takes a list, got 3"),
        ("genrule: {name: x, outs: [3], cmd: z}", "attribute 'outs' takes a text, got 3"),
        (
            "genrule: {name: x, outs: [], cmd: z}",
            "p/BUILD.yaml:2: //p:x: a genrule needs at least one name in `outs`",
        ),
        ("genrule: {name: x, outs: [y], cmd: z, srcs: [no.txt]}", "'no.txt' is neither a file nor a target"),
        (
            "genrule: {name: x, outs: [y], cmd: z, srcs: [../pyproject.toml]}",
            "'../pyproject.toml' leaves the package (a file outside of the package is a label, perhaps "
            "//:pyproject.toml)",
        ),
        (
            "genrule: {name: x, outs: [y], cmd: z, env: {A: 1}}",
            "attribute 'env' at 'A' takes a text, got 1; quote it",
        ),
        ("genrule: {name: x, outs: [../y], cmd: z}", "output '../y' has the part '..': it must stay"),
        ("genrule: {name: x, outs: [y], cmd: 'cat $<'}", "$< needs exactly one file in `srcs`, there are 0"),
        (
            "genrule: {name: x, outs: [y], cmd: z, outs: [w]}",
            "p/BUILD.yaml:2: attribute 'outs' stands here twice",
        ),
        (
            "filegroup: {name: x, srcs: {select: {hw: []}}}",
            "select has no arm for u55c-sw_emu among hw (add an arm",
        ),
        (
            "filegroup: {name: x, srcs: {select: {u55: [], default: []}}}",
            "select has an arm 'u55', which is neither a platform nor a target (did you mean 'u55c'?)",
        ),
        (
            "filegroup: {name: x, srcs: {select: {on: [], default: []}}}",
            "select has an arm True, which is neither a platform nor a target (known: default, hw, ",
        ),
        ("filegroup", "a target is `- rule: {name: …}`"),
        (
            "filegroup: {name: x}\n    genrule: {name: y}",
            "a target has one rule, this has filegroup, genrule",
        ),
        ("filegroup: {name: 'a b'}", "error: p/BUILD.yaml:2: '//p:a b' is not a label"),
        ("filegroup: {name: good}", "p/BUILD.yaml:3: //p:good is already defined at p/BUILD.yaml:2"),
    ],
)
def test_build_file(workspace: WorkspaceFolder, entry: str, sentence: str) -> None:
    entries = [GOOD, entry] if "name: good" in entry else [entry]
    workspace.build_file("p", *entries)
    assert sentence in workspace.fails("p:all")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: [", "p/BUILD.yaml:2: not YAML: "),
        ("targets:\n  - a: {name: x\n  - b: {}", "p/BUILD.yaml:3: not YAML: "),
        ("target: []", "p/BUILD.yaml:1: unknown key 'target' (did you mean 'targets'?)"),
        ("targets: {}", "`targets:` takes a list"),
        ("- a", "BUILD.yaml is a map with the key `targets:`"),
    ],
)
def test_not_a_build_file(workspace: WorkspaceFolder, text: str, sentence: str) -> None:
    workspace.write("p/BUILD.yaml", text + "\n")
    assert sentence in workspace.fails("p:all")


def test_cycle_is_a_path(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: a, srcs: [':b'], outs: [a.txt], cmd: x}",
        "genrule: {name: b, srcs: [':c'], outs: [b.txt], cmd: x}",
        "genrule: {name: c, srcs: [':a'], outs: [c.txt], cmd: x}",
    )
    assert "dependency cycle: //p:a -> //p:b -> //p:c -> //p:a" in workspace.fails("p:a")


def test_two_targets_with_one_output(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p", *(f"genrule: {{name: {name}, outs: [x.txt], cmd: 'touch $@'}}" for name in "ab")
    )
    sentence = "p/BUILD.yaml:3: p/x.txt is made by //p:a (p/BUILD.yaml:2) and by //p:b"
    assert sentence in workspace.fails("p:all")


def test_an_output_that_is_not_made(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", "genrule: {name: a, outs: [x.txt, y.txt], cmd: 'touch out/x.txt'}")
    assert "//p:a: Genrule ended well but did not make out/y.txt" in workspace.fails("p:a", code=1)
    assert not workspace.output("p/x.txt").exists()


def test_an_unknown_executor_or_setting(good: WorkspaceFolder) -> None:
    good.write("pyproject.toml", '[tool.stbuild]\nexecutor = "locl"\n')
    assert "no executor 'locl' (did you mean 'local'?)" in good.fails("p:good")
    good.write("pyproject.toml", "[tool.stbuild]\ncache = 3\n")
    assert "[tool.stbuild] cache takes str, got 3" in good.fails("p:good")
    good.write("pyproject.toml", "[tool.stbuild]\nplatfrom = 'x'\n")
    assert "[tool.stbuild] has no setting 'platfrom' (did you mean 'platform'?)" in good.fails("p:good")
    good.write("pyproject.toml", "[tool.stbuild]\nplatform = 3\n")
    assert "[tool.stbuild] platform takes str, got 3" in good.fails("p:good")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("jobs = 0", "[tool.stbuild] jobs takes a number from 1 on, got 0"),
        ("jobs = true", "[tool.stbuild] jobs takes a number from 1 on, got True"),
        ("resources = { vitis = 'x' }", "[tool.stbuild] resources: vitis takes a whole number, got 'x'"),
        ("resources = 3", "[tool.stbuild] resources takes dict, got 3"),
        ("sandbox = 'landlok'", "no sandbox 'landlok' (known: auto, landlock, staged, off)"),
        ("jobs = ", "pyproject.toml: not TOML: "),
    ],
)
def test_a_setting_that_makes_no_sense(good: WorkspaceFolder, setting: str, sentence: str) -> None:
    good.write("pyproject.toml", f"[tool.stbuild]\n{setting}\n")
    assert sentence in good.fails("p:good")


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ("timeout_s: -1", "timeout_s takes more than 0 seconds, got -1"),
        ("cpu: -1", "cpu takes 0 or more, got -1"),
        ("memory_mb: -4", "memory_mb takes 0 or more, got -4"),
        ("retries: -1", "retries takes 0 or more, got -1"),
        ("resources: {vitis: 0}", "resource 'vitis' takes a count of at least 1, got 0"),
    ],
)
def test_limits_that_make_no_sense(workspace: WorkspaceFolder, attributes: str, sentence: str) -> None:
    workspace.build_file("p", f"genrule: {{name: x, outs: [x], cmd: 'touch $@', {attributes}}}")
    assert f"error: p/BUILD.yaml:2: {sentence}" in workspace.fails("p:x")


def test_an_output_folder_that_is_a_file(good: WorkspaceFolder) -> None:
    good.write("stbuild-out", "")
    assert "stbuild-out/.stbuild cannot be written: " in good.fails("p:good", code=1)


def test_no_builds_to_compare(good: WorkspaceFolder) -> None:
    assert "there are no two builds to compare (stbuild log)" in good.fails("diff")
    assert good.ok("log").out == "no build yet\n"
    assert "no build 3 (known: none)" in good.fails("log", "3")


def test_another_tool_than_the_lock_says(good: WorkspaceFolder) -> None:
    good.build_file("p", "genrule: {name: t, outs: [x], cmd: 'touch $@', programs: [bash]}")
    good.write("stbuild.lock", '{"tools": {"bash": "GNU bash, version 1.0"}}')
    told = good.fails("p:t", code=1)
    assert "stbuild.lock says 'GNU bash, version 1.0' (install that one, or accept this one by " in told
    good.ok("lock", "bash")
    good.ok("p:t")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system: run as root")
def test_a_cache_that_cannot_be_written(good: WorkspaceFolder) -> None:
    good.cache.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "x", good.cache], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount: run outside of the container")
    try:
        told = good.fails("p:good", code=1)
    finally:
        subprocess.run(["umount", good.cache], check=True)
    assert f"the cache {good.cache} cannot be written (Read-only file system) (choose another folder" in told


def test_a_cache_that_is_a_file(good: WorkspaceFolder) -> None:
    good.cache.write_text("")
    assert f"the cache {good.cache} cannot be written (" in good.fails("p:good", code=1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system: run as root")
def test_a_full_cache(good: WorkspaceFolder) -> None:
    good.build_file("p", "genrule: {name: big, outs: [x], cmd: 'head -c 4000000 /dev/urandom > $@'}")
    good.cache.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "x", good.cache], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount: run outside of the container")
    try:
        told = good.fails("p:big", code=1)
    finally:
        subprocess.run(["umount", good.cache], check=True)
    assert f"the cache {good.cache} is full (what finished is kept; make room" in told


def test_a_tool_that_is_missing(good: WorkspaceFolder) -> None:
    good.build_file("p", "genrule: {name: t, outs: [x], cmd: 'touch $@', programs: [no-such-tool]}")
    assert "the program 'no-such-tool' is not on this machine" in good.fails("p:t", code=1)


def test_a_tool_that_a_later_action_lacks_is_told_before_the_first(good: WorkspaceFolder) -> None:
    good.build_file(
        "p",
        "genrule: {name: a, outs: [a], cmd: 'touch $@'}",
        "genrule: {name: b, outs: [b], srcs: [':a'], cmd: 'touch $@', programs: [no-such-tool]}",
    )
    told = good.fails("p:b", code=1)
    assert "error: p/BUILD.yaml:3: the program 'no-such-tool' is not on this machine" in told
    assert not good.output("p/a").exists()
    good.run("p:b", "--keep-going")
    assert good.output("p/a").exists()


def test_an_unknown_licence(good: WorkspaceFolder) -> None:
    good.build_file("p", "genrule: {name: t, outs: [x], cmd: 'touch $@', resources: {questa: 1}}")
    told = good.fails("p:t")
    assert "needs 1 of 'questa', which this machine does not declare" in told
    assert "[tool.stbuild]" in told


def test_stbuildw_without_venv_module(tmp_path: Path) -> None:
    checkout = Path(__file__).resolve().parents[2]
    for name in ("stbuildw", "requirements.txt"):
        shutil.copy(checkout / name, tmp_path / name)
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    env = {**os.environ, "STBUILD_PYTHON": str(fake)}
    done = subprocess.run([tmp_path / "stbuildw"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: {fake} has no venv module (apt install python3-venv)\n"
