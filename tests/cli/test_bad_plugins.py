"""A plugin with a mistake in it: one sentence with its file and line, and nothing else is stopped by it."""

from tests.cli.conftest import GOOD, rule_file
from tests.conftest import WorkspaceFolder


def test_wrong_provider(workspace: WorkspaceFolder) -> None:
    text = rule_file("needs", "of: MyInfo", "return FilesInfo()")
    text = text.replace(
        "\n@dataclass", "\n@dataclass(frozen=True)\nclass MyInfo:\n    x: int\n\n@dataclass", 1
    )
    workspace.write("rules/needs.py", text)
    workspace.build_file("p", GOOD, "needs: {name: n, of: ':good'}")
    assert "needs 'n': attribute 'of' :good gives FilesInfo, needs MyInfo" in workspace.fails("p:n")


def test_a_plugin_that_raises(good: WorkspaceFolder) -> None:
    good.write("rules/broken.py", "x = 1\ny = x / 0\n")
    good.build_file("p", GOOD, "broken: {name: b}")
    sentence = f"{good.root}/rules/broken.py:2: cannot be imported: ZeroDivisionError: division by zero"
    assert sentence in good.fails("p:b")
    verbose = good.run("p:b", "--verbose")
    assert sentence in verbose.err
    assert "Traceback" in verbose.err
    doctor = good.run("doctor")
    assert doctor.code == 1
    assert sentence in doctor.out


def test_a_plugin_that_is_taken_twice(good: WorkspaceFolder) -> None:
    path = good.write("rules/genrule.py", rule_file("genrule", "x: int = 0"))
    told = good.fails("p:good")
    assert "rule 'genrule' is defined twice: " in told
    assert str(path) in told


def test_a_file_that_does_not_define_its_name(good: WorkspaceFolder) -> None:
    good.write("rules/empty.py", "x = 1\n")
    good.build_file("p", "empty: {name: b}")
    assert "does not define 'empty'" in good.fails("p:b")


def test_a_rule_with_a_bug(good: WorkspaceFolder) -> None:
    good.write("rules/buggy.py", rule_file("buggy", "x: int = 0", "return {}['key']"))
    good.build_file("p", GOOD, "buggy: {name: b}")
    told = good.fails("p:b")
    assert (
        f"error: {good.root}/rules/buggy.py:10: rule buggy fails for p/BUILD.yaml:3: KeyError: 'key'" in told
    )
    assert "Traceback" in good.run("p:b", "--verbose").err
    assert good.ok("p:good").status.startswith("done: 1 run")


def test_a_rule_that_gives_something_else(good: WorkspaceFolder) -> None:
    good.write("rules/other.py", rule_file("other", "x: int = 0", "return 3  # type: ignore"))
    good.build_file("p", "other: {name: b}")
    assert "rules/other.py: rule other gave a int, declares FilesInfo" in good.fails("p:b")


def test_a_platform_that_is_none(good: WorkspaceFolder) -> None:
    good.write("rules/asks.py", rule_file("asks", "x: int = 0", "ctx.platform; return FilesInfo()"))
    good.write("platforms/toy.py", "TOY = 3\n")
    good.build_file("p", "asks: {name: asks}")
    assert "platform 'toy' is a int, not a Platform" in good.fails("p:asks", "--platform", "toy")
    assert "platform 'toy' is a int, not a Platform" in good.run("doctor").out


def test_an_error_in_a_macro_points_to_its_call(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "rules/twins.py",
        "from dataclasses import dataclass\nfrom stbuild.api import Entry, macro\n\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Twins:\n    srcs: tuple[str, ...]\n\n"
        "@macro(default='one')\ndef twins(name: str, attrs: Twins) -> list[Entry]:\n"
        "    return [{'filegroup': {'name': 'one', 'srcs': list(attrs.srcs)}}]\n",
    )
    workspace.write("p/BUILD.yaml", "targets:\n  - twins:\n      name: t\n      srcs: [gone.txt]\n")
    assert "p/BUILD.yaml:4: " in workspace.fails("p:one") or "p/BUILD.yaml:2: " in workspace.fails("p:one")
