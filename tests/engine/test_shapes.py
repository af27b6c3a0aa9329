"""Long chains meet no recursion limit, many inputs stay apart, and a large file is read once."""

from pathlib import Path

import pytest

from stbuild.engine.keys import digest as digests
from stbuild.engine.store.state import State
from tests.conftest import WorkspaceFolder

CHAIN = 3000
INPUTS = 3000


@pytest.mark.slow
def test_a_chain_longer_than_any_recursion(workspace: WorkspaceFolder) -> None:
    rule = "genrule: {{name: n{i}, srcs: [{src}], outs: [n{i}.txt], cmd: 'cat $< > $@', shell: sh}}"
    sources = ["start.txt", *(f"':n{i}'" for i in range(CHAIN - 1))]
    workspace.write("p/start.txt", "x")
    workspace.build_file("p", *(rule.format(i=i, src=src) for i, src in enumerate(sources)))
    last = f"p:n{CHAIN - 1}"
    assert workspace.ok(last, "--sandbox=off", timeout_s=600).status.startswith(f"done: {CHAIN} run")
    assert workspace.output(f"p/n{CHAIN - 1}.txt").read_text() == "x"
    workspace.write("p/start.txt", "y")
    (workspace.root / "p/BUILD.yaml").touch()
    assert "n0" in workspace.ok("query", f"deps({last})", timeout_s=120).out
    assert workspace.ok("explain", last, timeout_s=120).out


def test_thousands_of_inputs_to_one_action(workspace: WorkspaceFolder) -> None:
    for i in range(INPUTS):
        workspace.write(f"p/src/{i}", "x")
    workspace.build_file(
        "p",
        "genrule: {name: all, srcs: {glob: ['src/*']}, outs: [n.txt], cmd: 'cat in/p/src/* | wc -c > $@'}",
    )
    workspace.ok("p:all", timeout_s=120)
    assert workspace.output("p/n.txt").read_text().strip() == str(INPUTS)


def test_a_large_file_is_read_once_in_its_life(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(64 << 20)
    reads: list[str] = []

    def reading(path: str) -> str:
        reads.append(path)
        return digests.hash_file(path)

    found = set()
    for _ in range(4):
        state = State(tmp_path / "state")
        found.add(state.digest(str(large), reading))
        found.add(state.digest(str(large), reading))
        state.close()
    assert reads == [str(large)]
    assert len(found) == 1


def test_a_large_output_is_read_once_in_its_life(workspace: WorkspaceFolder) -> None:
    """Its blob, its copy in place and its readers all take the digest that its action's end gave."""
    workspace.build_file(
        "p",
        "genrule: {name: big, outs: [big], cmd: 'truncate -s 64M $@'}",
        "genrule: {name: size, srcs: [':big'], outs: [size], cmd: 'stat -Lc %s $< > $@'}",
    )
    workspace.ok("p:size")
    made = workspace.output("p/big")
    accessed = made.stat().st_atime_ns
    (workspace.root / "p/BUILD.yaml").touch()
    workspace.ok("p:size")
    workspace.ok("p:size", "--sandbox=off", "--verbose")
    assert made.stat().st_atime_ns == accessed
