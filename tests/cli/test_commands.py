"""Every command that answers a question also answers in JSON; `test` and `--watch` do what they say."""

import contextlib
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

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


@pytest.fixture
def tested(workspace: WorkspaceFolder) -> WorkspaceFolder:
    """Tests that pass, fail, are flaky, take too long, and come in shards."""
    mark = workspace.root / "mark"
    moody = (
        f'if [ -e {mark} ]; then exit 0; fi; touch {mark}; printf "\\\\033[31merror: unlucky\\\\n"; exit 1'
    )
    late = "sleep 71.5 & (setsid sleep 71.5 &) ; sleep 71.5"
    workspace.build_file(
        "p",
        "sh_test: {name: good, cmd: 'true'}",
        f"sh_test: {{name: moody, cmd: '{moody}', retries: 2}}",
        "sh_test: {name: shards, shards: 3, cmd: '"
        "echo shard $$TEST_SHARD_INDEX of $$TEST_TOTAL_SHARDS; test $$TEST_SHARD_INDEX -ne 1'}",
        f"sh_test: {{name: late, cmd: '{late}', timeout_s: 0.6}}",
        "genrule: {name: broken, outs: [broken.txt], cmd: 'exit 3'}",
        "sh_test: {name: behind, srcs: [':broken'], cmd: 'true'}",
    )
    return workspace


def test_tests_and_their_xml(tested: WorkspaceFolder) -> None:
    done = tested.run("test", "//...", "--sandbox=off", "--junit", "all.xml")
    assert done.code == 1
    lines = [line.partition(" (")[0] for line in done.out.splitlines() if line[0].isupper()]
    assert lines == [
        "PASSED    //p:good",
        "FLAKY     //p:moody",
        "PASSED    //p:shards shard 1 of 3",
        "FAILED    //p:shards shard 2 of 3",
        "PASSED    //p:shards shard 3 of 3",
        "FAILED    //p:late",
        "NOT TRIED //p:behind",
    ]
    assert "\n  try 1 failed with exit code 1: error: unlucky\n" in done.out
    assert "\n  was stopped after its time-out of 0.6 s\n" in done.out
    assert subprocess.run(["pgrep", "-f", "^sleep 71.5"], check=False).returncode == 1
    top = ElementTree.parse(tested.root / "all.xml").getroot()
    assert (top.get("tests"), top.get("failures"), top.get("skipped")) == ("7", "2", "1")
    assert [suite.get("name") for suite in top] == [
        "//p:good",
        "//p:moody",
        "//p:shards",
        "//p:late",
        "//p:behind",
    ]
    (shards,) = top.findall("testsuite[@name='//p:shards']")
    assert shards.findtext("testcase/system-out") == "shard 0 of 3\n"
    assert top.find("testsuite/testcase/flakyFailure").text == "error: unlucky"  # type: ignore[union-attr]
    single = ElementTree.parse(tested.root / "stbuild-out/testlogs/p/shards/test.xml").getroot()
    plain = [
        ElementTree.canonicalize(ElementTree.tostring(each), strip_text=True) for each in (single, shards)
    ]
    assert plain[0] == plain[1]


def test_results_as_json_and_what_passed_is_cached(tested: WorkspaceFolder) -> None:
    tested.run("test", "//...", "--sandbox=off")
    again = tested.run("test", "//...", "--sandbox=off", "--json")
    rows = json.loads(again.out)
    assert [row["state"] for row in rows] == [
        "cached",
        "cached",
        "cached",
        "failed",
        "cached",
        "failed",
        "not tried",
    ]
    assert rows[0]["seconds"] > 0


def test_a_test_that_writes_its_cases_is_reported_case_by_case(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "p/cases.sh",
        "echo \"<testsuite><testcase name='one' time='0.5'/>"
        "<testcase classname='k' name='two'>$1</testcase></testsuite>\" > \"$XML_OUTPUT_FILE\"\n",
    )
    workspace.build_file(
        "p",
        'sh_test: {name: good, srcs: [cases.sh], cmd: \'cd / && bash "$$OLDPWD/$<" "<skipped/>"\'}',
        "sh_test: {name: bad, srcs: [cases.sh], cmd: 'bash $< \"<failure/>\"; exit 1'}",
        "sh_test: {name: late, srcs: [cases.sh], cmd: 'bash $<; sleep 60', timeout_s: 1}",
        "sh_test: {name: torn, cmd: 'echo \"<testsuite>\" > $$XML_OUTPUT_FILE'}",
    )
    for state in ("PASSED", "CACHED"):
        done = workspace.run("test", "p:all", "--sandbox=off")
        assert f"{state:9} //p:good" in done.out
        assert "\n  case k.two\n" in done.out
        top = ElementTree.parse(workspace.root / "stbuild-out/testlogs/junit.xml").getroot()
        assert [(suite.get("name"), *map(suite.get, ("tests", "failures", "skipped"))) for suite in top] == [
            ("//p:good", "2", "0", "1"),
            ("//p:bad", "2", "1", "0"),
            ("//p:late", "3", "1", "0"),
            ("//p:torn", "1", "0", "0"),
        ]
        one = next(top.iter("testcase"))
        assert one.attrib == {"name": "one", "time": "0.5", "classname": "//p:good"}


@pytest.mark.parametrize(
    ("written", "counted"),
    [
        ('<?xml version="1.0" encoding="foo-8"?><testsuite><testcase name="a"/></testsuite>', ("1", "0")),
        ('<?xml version="1.0" encoding="gb2312"?><testsuite><testcase name="a"/></testsuite>', ("1", "0")),
        ('<testsuite xmlns="urn:x"><testcase name="a"/><testcase name="b"/></testsuite>', ("2", "0")),
        (f'<testsuite><testcase name="a">{"<x>" * 3000}{"</x>" * 3000}</testcase></testsuite>', ("1", "0")),
        ('<testsuite><testcase name="a" time="nan"><error/></testcase></testsuite>', ("1", "1")),
    ],
)
def test_whatever_a_test_writes_is_reported(
    workspace: WorkspaceFolder, written: str, counted: tuple[str, str]
) -> None:
    workspace.write("p/cases.xml", written)
    workspace.build_file("p", "sh_test: {name: t, srcs: [cases.xml], cmd: 'cp $< $$XML_OUTPUT_FILE'}")
    for _ in range(2):
        workspace.ok("test", "p:t", "--sandbox=off")
        top = ElementTree.parse(workspace.root / "stbuild-out/testlogs/junit.xml").getroot()
        assert (top.get("tests"), top.get("failures")) == counted
        assert float(top.get("time", "")) >= 0


def test_a_link_is_no_report_of_a_failed_test(workspace: WorkspaceFolder) -> None:
    secret = workspace.write("secret.xml", '<testsuite><testcase name="secret"/></testsuite>')
    workspace.build_file("p", f"sh_test: {{name: t, cmd: 'ln -s {secret} $$XML_OUTPUT_FILE; exit 1'}}")
    workspace.run("test", "p:t", "--sandbox=off")
    assert "secret" not in (workspace.root / "stbuild-out/testlogs/junit.xml").read_text()


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
