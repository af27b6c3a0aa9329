"""`stbuild test`: what passes, fails and is tried again, and the XML that tells of it."""

import json
import subprocess
from xml.etree import ElementTree

import pytest

from tests.conftest import WorkspaceFolder


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
