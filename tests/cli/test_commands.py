"""Every command that answers a question also answers in JSON; `test` and `--watch` do what they say."""

import contextlib
import json
import os
import pty
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import WorkspaceFolder

MADE = "genrule: {name: made, srcs: [a.txt], outs: [made.txt], cmd: 'cat $< > $@'}"
GROUP = "filegroup: {name: group, srcs: [':made']}"


@pytest.fixture
def hello(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """A rule and a name for its file."""
    workspace.write("p/a.txt", "a\n")
    workspace.build_file("p", MADE, GROUP)
    workspace.ok("p:all")
    return workspace


def wait_until(happened: Callable[[], bool], timeout_s: float = 30) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "args",
    [
        ("query", "deps(//...)"),
        ("aquery", "p:group"),
        ("explain", "p:made"),
        ("graph", "p:group"),
        ("diff",),
        ("log",),
        ("log", "-1"),
        ("doctor",),
        ("platforms",),
        ("cache", "info"),
        ("cache", "verify"),
        ("cache", "gc", "--max-size", "1G"),
        ("lock", "bash"),
    ],
)
def test_json(hello: WorkspaceFolder, args: tuple[str, ...]) -> None:
    hello.ok("p:all", "--plain")
    answer: Any = json.loads(hello.ok(*args, "--json").out)
    assert isinstance(answer, list | dict)
    assert answer or args == ("diff",)


def test_the_answers(hello: WorkspaceFolder) -> None:
    cached = json.loads(hello.ok("cache", "info", "--json").out)
    assert (cached["cache"], cached["records"], cached["blobs"]) == (str(hello.cache), 1, 1)
    (action,) = json.loads(hello.ok("aquery", "p:group", "--json").out)
    assert (action["label"], list(action["inputs"])) == ("//p:made", ["in/p/a.txt"])
    assert len(action["key"]) == 64
    rows = json.loads(hello.ok("graph", "p:group", "--json").out)
    assert {row["label"]: row["deps"] for row in rows} == {"//p:group": ["//p:made"], "//p:made": []}
    assert hello.ok("query", "kind(sh_test, //...)").out == ""
    findings = {row["name"]: row for row in json.loads(hello.ok("doctor", "--json").out)}
    assert {"sandbox", "network", "memory", "resources", "cache", "rules", "platforms"} <= set(findings)


def test_watch_builds_again_until_it_is_interrupted(workspace: WorkspaceFolder) -> None:
    source = workspace.write("p/a.txt", "one\n")
    workspace.build_file("p", MADE)
    output = workspace.output("p/made.txt")

    def holds(text: str) -> Callable[[], bool]:
        return lambda: output.exists() and output.read_text() == text

    process = workspace.start("p:made", "--watch")
    try:
        wait_until(holds("one\n"))
        time.sleep(0.3)
        source.write_text("two\n")
        wait_until(holds("two\n"))
        workspace.write("p/BUILD.yaml", "targts: []\n")
        time.sleep(1)
        workspace.build_file("p", MADE.replace("cat $< >", "cat $< $< >"))
        wait_until(holds("two\ntwo\n"))
        assert process.poll() is None
    finally:
        process.send_signal(2)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.count("done: 1 run, 0 cached") >= 2
    assert "changed: p/a.txt\n" in err
    assert "error: p/BUILD.yaml:1: unknown key 'targts'" in err
    assert err.endswith("stopped; what had finished is kept\n")


def test_watch_goes_on_after_a_failed_build(workspace: WorkspaceFolder) -> None:
    workspace.build_file(
        "p",
        "genrule: {name: a, srcs: [a.txt], outs: [a.out], cmd: 'grep good $< > $@'}",
        "genrule: {name: b, srcs: [':a', b.txt], outs: [b.out], cmd: 'cat $(SRCS) > $@'}",
    )
    first, _ = workspace.write("p/a.txt", "bad\n"), workspace.write("p/b.txt", "b\n")
    process = workspace.start("p:b", "--watch")
    output = workspace.output("p/b.out")
    try:
        log = workspace.root / "stbuild-out/.stbuild/logs/p_a_Genrule.log"
        wait_until(log.exists)
        time.sleep(0.5)
        first.write_text("good\n")
        wait_until(output.exists)
    finally:
        process.send_signal(2)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.splitlines()[0].startswith("failed: 0 run, 0 cached, 1 failed in ")
    assert output.read_text() == "good\nb\n"


def test_watch_tests_again(workspace: WorkspaceFolder) -> None:
    source = workspace.write("p/a.txt", "good\n")
    workspace.build_file("p", "sh_test: {name: t, srcs: [a.txt], cmd: 'grep good $<'}")
    report = workspace.root / "stbuild-out/testlogs/junit.xml"

    def says(failures: int) -> Callable[[], bool]:
        return lambda: report.exists() and f'failures="{failures}"' in report.read_text()

    process = workspace.start("test", "p:t", "--watch")
    try:
        wait_until(says(0))
        time.sleep(0.3)
        source.write_text("bad\n")
        wait_until(says(1))
    finally:
        process.send_signal(2)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.startswith("PASSED    //p:t (")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed(workspace: WorkspaceFolder, closed: str) -> None:
    workspace.build_file("p", "genrule: {name: p, outs: [o], cmd: 'echo hi | tee $@'}")
    argv = shlex.join([sys.executable, "-P", "-m", "stbuild", "p"])
    for _ in range(2):
        done = subprocess.run(
            ["bash", "-c", f"{argv} {closed}"], cwd=workspace.root, env=workspace.environment(), check=False
        )
        assert done.returncode == 0
    assert workspace.output("p/o").read_text() == "hi\n"


def test_init_makes_a_workspace_that_builds(tmp_path: Path) -> None:
    outside = WorkspaceFolder(root=tmp_path, cache=tmp_path / "cache")
    project = outside.write("mine/pyproject.toml", '[project]\nname = "mine"\n')
    told = outside.ok("init", "mine").out
    assert told == "made mine/pyproject.toml, mine/hello/BUILD.yaml; now: stbuild hello, stbuild test //...\n"
    assert project.read_text().startswith('[project]\nname = "mine"\n')
    mine = WorkspaceFolder(root=tmp_path / "mine", cache=outside.cache)
    assert mine.ok("hello").status.startswith("done: 1 run")
    assert mine.output("hello/greeting.txt").read_text() == "Hello, world!\n"
    assert mine.ok("test", "//...").out.startswith("PASSED    //hello:greeting_test (")
    assert "mine is a workspace already" in outside.fails("init", "mine")


def test_a_terminal_shows_what_runs_and_is_left_as_it_was(workspace: WorkspaceFolder) -> None:
    slow = "genrule: {name: slow, outs: [s], cmd: 'sleep 0.7; touch $@'}"
    workspace.build_file("p", slow)
    workspace.ok("p:slow")
    workspace.build_file("p", slow.replace("0.7", "60.7"))
    ours, theirs = pty.openpty()
    workspace.env["TERM"] = "xterm"
    argv = [sys.executable, "-P", "-m", "stbuild", "p:slow"]
    env = workspace.environment()
    process = subprocess.Popen(argv, cwd=workspace.root, env=env, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b" of about " not in shown:
        shown += os.read(ours, 4096)
    process.send_signal(2)
    with contextlib.suppress(OSError):
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert process.wait() == 130
    assert b"//p:slow Genrule" in shown
    assert b"0 of 1 run" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")


def test_shell_completion_offers_commands_and_labels(hello: WorkspaceFolder) -> None:
    words = hello.ok("completion", "words").out.splitlines()
    assert {"build", "explain", "--keep-going", "--watch", "//p:made", "//p:group"} <= set(words)
    script = hello.ok("completion", "bash").out
    asks = "COMP_WORDS=(stbuild //p:m); COMP_CWORD=1; _stbuild; echo ${COMPREPLY[@]}"
    command = f"{script}\nstbuild() {{ cat words; }}\n{asks}"
    Path(hello.root / "words").write_text("\n".join(words))
    told = subprocess.run(["bash", "-c", command], cwd=hello.root, capture_output=True, text=True, check=True)
    assert told.stdout == "//p:made\n"


def test_a_reader_that_has_gone_is_no_traceback(hello: WorkspaceFolder) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-P", "-m", "stbuild", "query", "//p:all"]
    done = subprocess.run(
        argv, cwd=hello.root, env=hello.environment(), stdout=writer, stderr=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("argv", [["query", "//p:all"], ["p:all"]])
def test_a_full_disk_behind_standard_output(hello: WorkspaceFolder, argv: list[str]) -> None:
    hello.ok("p:all")
    env = {name: value for name, value in hello.environment().items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "stbuild", *argv], cwd=hello.root, env=env, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"
