"""A user's shell command fails when a command in it fails, and its make variables are those that exist."""

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.engine.graph.artifact import File, Origin
from stbuild.engine.load.shell import SHELLS, Unknown, expand, is_idle
from tests.conftest import WorkspaceFolder

FAILING = {
    "multi": "test 1 = 2; echo done",
    "grep": "grep -q needle $<; echo checked",
    "lines": "false\necho done",
    "pipeline": "false | cat",
    "subshell": "( false; echo sub ); echo done",
    "group": "{ false; echo group; }; echo done",
    "chain": "true && false",
    "function": "f() { false; echo in; }; f; echo done",
    "heredoc": "cat <<EOF\nhi\nEOF\nfalse\ntrue",
    "heredoc_last": "false\ncat <<EOF\nhi\nEOF",
    "comment": "false # true",
    "comment_last": "false; true # done",
    "unset": "echo $${no_such_variable}; true",
    "assigned": "x=$$(false); echo done",
    "loop": "for i in 1 2; do test $$i = 1; done; echo done",
    "exit": "exit 3; true",
    "closes": "true ) ; ( false",
    "closes_well": "true ) ; ( true",
    "closes_all": "true ) || ( true",
    "opens": "( true",
    "quote": "echo '",
    "double_quote": 'echo "',
    "brace": "true; }",
    "fi": "true; fi; if true; then true",
    "here_open": "true <<< $$(false",
    "done": "false; done",
    "last_comment": "false #",
    "last_backslash": "false \\",
    "arguments": "shift",
    "zero": 'test -e "$$0.passed"',
}
PASSING = {
    "chain": "true && true",
    "early": "exit 0; false",
    "or": "false || true",
    "condition": "if false; then exit 1; fi",
    "not": "! false",
    "hash": "true #",
    "backslash": "true \\",
    "heredoc": "cat <<EOF\nhi\nEOF",
    "heredoc_last": "cat <<EOF\nhi",
    "xml": 'echo "<testsuite/>" > "$$XML_OUTPUT_FILE"',
    "no_arguments": "test $$# = 0",
    "trap": "trap 'true' EXIT; true",
}


def sh_tests(commands: dict[str, str]) -> list[str]:
    """Entries of a BUILD.yaml, a test for each command."""
    return [
        f"sh_test: {{name: {name}, cmd: {json.dumps(command)}, srcs: [file.txt]}}"
        for name, command in commands.items()
    ]


@pytest.mark.parametrize(("commands", "state"), [(FAILING, "failed"), (PASSING, "passed")])
def test_a_test_is_as_good_as_its_worst_command(
    workspace: WorkspaceFolder, commands: dict[str, str], state: str
) -> None:
    workspace.write("p/file.txt", "hay\n")
    workspace.build_file("p", *sh_tests(commands))
    for _ in range(2):
        done = workspace.run("test", "p:all", "--json")
        states = {row["label"].removeprefix("//p:"): row["state"] for row in json.loads(done.out)}
        assert states == dict.fromkeys(commands, state), done.err
        state = "cached" if state == "passed" else state


def test_a_genrule_is_as_good_as_its_worst_command(workspace: WorkspaceFolder) -> None:
    workspace.write("p/file.txt", "hay\n")
    workspace.build_file(
        "p",
        *(
            f"genrule: {{name: {name}, srcs: [file.txt], outs: [{name}.out], "
            f"cmd: {json.dumps('echo x > $@; ' + command)}, shell: {shell}}}"
            for shell, commands in (("bash", FAILING), ("sh", {"sh": FAILING["multi"]}))
            for name, command in commands.items()
        ),
    )
    workspace.run("p:all", "-k")
    failed = {each["label"] for each in workspace.events() if each["event"] == "action_failed"}
    assert failed == {f"//p:{name}" for name in [*FAILING, "sh"]}


def test_a_command_that_does_nothing_is_refused(workspace: WorkspaceFolder) -> None:
    workspace.build_file("p", 'sh_test: {name: t, cmd: "# later"}')
    assert workspace.fails("test", "p:t") == "error: p/BUILD.yaml:2: //p:t: `cmd` has no command\n"
    assert all(map(is_idle, ("", " \n\t", "# x", "\n  # x\n"))) and not is_idle("# x\ntrue")


SRC, OUT = File(path="p/a.txt"), File(path="p/o.txt", origin=Origin.OUTPUT, prefix="p")


def expanded(text: str) -> str:
    """A text with its variables replaced; `a.txt` and `o.txt` are its files, `both` stands for two."""
    found = {"a.txt": [SRC], "o.txt": [OUT], "both": [SRC, OUT]}
    return expand(text, [SRC], [OUT], lambda name: found.get(name, []))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("cp $< $@", "cp in/p/a.txt out/o.txt"),
        ("$(SRCS) $(OUTS) $(@D) $(RULEDIR)", "in/p/a.txt out/o.txt out out"),
        ("$(location a.txt) $(execpath o.txt)", "in/p/a.txt out/o.txt"),
        ("$(locations both)", "in/p/a.txt out/o.txt"),
        ("$$x $$(date) $$$$ $$<", "$x $(date) $$ $<"),
        ("$$(SRCS)", "$(SRCS)"),
    ],
)
def test_make_variables(text: str, result: str) -> None:
    assert expanded(text) == result


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("echo $(FOO)", "there is no make variable $(FOO)", "for the shell's own write $$(FOO)"),
        ("echo $(SRC)", "there is no make variable $(SRC)", "did you mean 'SRCS'?"),
        ("echo $( SRCS )", "there is no make variable $( SRCS )", "known: SRCS, OUTS"),
        ("echo $(cat $<)", "there is no make variable $(cat $<)", "write $$(cat $<)"),
        ("echo $()", "there is no make variable $()", "known: SRCS"),
        ("echo $(SRCS", "$(SRCS is neither a make variable nor ends as one", "write $$(…)"),
        ("echo $(a (b))", "$(a (b)) is neither a make variable", "no parentheses inside"),
        ("echo $(", "$( is neither a make variable", "write $$(…)"),
        ("echo $((1 + 1))", "$((1 + 1)) is neither", "write $$(…)"),
        ("echo $HOME", "$H is no make variable", "write $$H"),
        ("echo ${x}", "${ is no make variable", "write $${"),
        ("echo $", "$ is no make variable", "write $$"),
        ("echo $(location)", "$(location) needs a file or a label: $(location x)", ""),
        ("echo $(location both)", "$(location both) stands for 2 files; write $(locations both)", ""),
        ("echo $(execpath both)", "$(execpath both) stands for 2 files; write $(execpaths both)", ""),
    ],
)
def test_a_variable_that_does_not_exist_is_refused(text: str, sentence: str, hint: str) -> None:
    with pytest.raises(Unknown) as caught:
        expanded(text)
    assert sentence in str(caught.value) and hint in (caught.value.hint or "")


@given(st.text(alphabet="$(<@)ax "))
def test_no_dollar_is_passed_over(text: str) -> None:
    """What is not refused has no dollar but those that were written twice."""
    try:
        result = expanded(text)
    except Unknown:
        return
    assert result.count("$") == text.count("$$") and "$(SRCS)" not in result


@given(st.text(alphabet="ab $();|&#\\'\"{}\n", max_size=20))
def test_no_text_ends_the_wrapper_of_a_test(text: str) -> None:
    """The shell of a test is handed its text as one argument, whatever stands in it."""
    argv = (*SHELLS["bash"], 'x="$1"; printf %s "${#x}"', "-", text)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert int(done.stdout) == len(text)


def test_the_place_of_a_variable_is_told(workspace: WorkspaceFolder) -> None:
    workspace.write(
        "p/BUILD.yaml",
        "targets:\n  - genrule:\n      name: x\n      outs: [o]\n      cmd: echo $(FOO) > $@\n",
    )
    told = workspace.fails("p:x")
    assert told.startswith("error: p/BUILD.yaml:5: //p:x: there is no make variable $(FOO) (known: ")


def test_what_is_located_must_be_an_input(workspace: WorkspaceFolder) -> None:
    workspace.write("p/a.txt", "a\n")
    other = "genrule: {name: other, outs: [q], cmd: 'echo q > $@'}"
    rule = "genrule: {name: x, outs: [d/o], cmd: 'cat $(location %s) > $(location d/o)'}"
    for name in ("a.txt", ":other", "//p:other", "q"):
        workspace.build_file("p", other, rule % name)
        told = workspace.fails("p:all")
        assert told.startswith("error: p/BUILD.yaml:3: ") and "`srcs` or `tools`" in told, told
    workspace.build_file("p", other, rule.replace("x,", "x, tools: ['q'],") % "q")
    workspace.ok("p:all")
    assert workspace.output("p/d/o").read_text() == "q\n"
