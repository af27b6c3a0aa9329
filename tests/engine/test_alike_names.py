"""Names that lead to one path: targets beside source folders, logs, resources."""

import pytest

from tests.conftest import WorkspaceFolder


def test_a_source_folder_with_the_path_of_a_target_s_outputs(workspace: WorkspaceFolder) -> None:
    workspace.write("p/weights/a.bin", "a")
    workspace.build_file(
        "p",
        "genrule: {name: g, outs: [weights/b.bin], cmd: 'echo b >$@'}",
        "genrule: {name: h, srcs: [weights, 'weights/b.bin'], outs: [h], cmd: 'cat $(SRCS) >$@'}",
    )
    told = workspace.fails("p:h")
    assert "the source p/weights has the path of a target's folder, which holds p/weights/b.bin" in told


def test_the_logs_of_alike_names_are_told_apart(workspace: WorkspaceFolder) -> None:
    rule = "genrule: {{name: {0}, outs: [o/{0}], cmd: 'echo this is {0}; exit 1'}}"
    workspace.build_file("p", rule.format("a/b"), rule.format("a_b"))
    told = workspace.fails("p:all", "-k", code=1)
    logs = [line.split()[-1] for line in told.splitlines() if line.startswith("  log: ")]
    texts = sorted((workspace.root / log).read_text() for log in logs)
    assert texts == ["this is a/b\n", "this is a_b\n"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ("'../../x' = 1", "'../../x' is no name of a resource"),
        ("'a=b' = 1", "'a=b' is no name of a resource"),
        ("a-b = 1, a_b = 1", "'a-b' and 'a_b' have the same variable"),
    ],
)
def test_names_of_resources(workspace: WorkspaceFolder, names: str, sentence: str) -> None:
    workspace.write("pyproject.toml", f"[tool.stbuild]\nresources = {{ {names} }}\n")
    assert sentence in workspace.fails("//...")
