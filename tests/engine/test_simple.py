"""A simple command that runs without its shell does what the shell would have done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.engine.local.simple import Simple, simple

BASH = ("/bin/bash", "-euo", "pipefail", "-c")
SH = ("/bin/sh", "-eu", "-c")
ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nowhere", "LC_CTYPE": "C.UTF-8"}

SIMPLE = [
    "cat a b > out",
    "cat a b >out",
    "  cat   a  ",
    "cat a\n",
    "cp -p a out",
    "head -c 2 a 2 > out",
    "cat missing > out",
    "sort -t, -k1,1 --output=out a",
    "ls in/../a ./b",
    "dd if=a of=out status=none",
    "python3 shows.py > out",
]

FOR_THE_SHELL = [
    "",
    "cat a > out b",
    "cat a 2>out",
    "cat a >> out",
    "cat < a",
    "cat a > out > b",
    "cat a > 'out'",
    "cat a | sort",
    "cat a; cat b",
    "cat a && cat b",
    "cat a &",
    "cat $HOME",
    "cat *",
    "cat ~",
    "cat {a,b}",
    "cat a # b",
    "X=1 cat a",
    "cat a\ncat b",
    "./a",
    "echo a",
    "cd a",
    "exec cat a",
    "true",
    "time cat a",
    "! cat a",
    "[ -f a ]",
    "no-such-program a",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, and a program that shows what it was started with."""
    (tmp_path / "a").write_text("b,2\na,1\n")
    (tmp_path / "b").write_text("second\n")
    (tmp_path / "shows.py").write_text("import os, sys\nprint(sys.argv, sorted(os.environ.items()))\n")
    return tmp_path


@pytest.mark.parametrize("shell", [BASH, SH])
@pytest.mark.parametrize("text", SIMPLE)
def test_a_simple_command_does_what_the_shell_does(
    folder: Path, shell: tuple[str, ...], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    by_shell = ran([*shell, text], ENV, folder)
    short = simple([*shell, text], ENV)
    assert short is not None
    assert ran_directly(short, folder) == by_shell


def test_a_folder_is_shown_as_a_shell_shows_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = folder / "named"
    named.symlink_to(folder)
    monkeypatch.chdir(named)
    short = simple([*SH, "cat a"], ENV)
    assert short is not None
    assert short.env["PWD"] == str(folder.resolve())


@pytest.mark.parametrize("shell", [BASH, SH])
@pytest.mark.parametrize("text", FOR_THE_SHELL)
def test_what_only_a_shell_understands_is_left_to_it(shell: tuple[str, ...], text: str) -> None:
    assert simple([*shell, text], ENV) is None


@pytest.mark.parametrize("name", ["BASH_ENV", "SHELLOPTS", "BASH_FUNC_cat%%", "no-name", "IFS", "OLDPWD"])
def test_a_variable_that_sways_a_shell_needs_one(name: str) -> None:
    assert simple([*BASH, "cat a"], {**ENV, name: "x"}) is None


def test_other_programs_and_flags_are_no_shells() -> None:
    assert simple(["/usr/bin/env", "-c", "cat a"], ENV) is None
    assert simple(["/bin/sh", "-x", "-c", "cat a"], ENV) is None
    assert simple(["/bin/sh", "-euo", "pipefail", "-c", "cat a"], ENV) is None
    assert simple(["/bin/sh", "-c", "cat $0", "cat a"], ENV) is None
    assert simple(["/bin/sh", "-c", "cat a"], {**ENV, "PATH": "bin:/usr/bin"}) is None


@given(words=st.lists(st.text("a./-=,:@%+_2", min_size=1, max_size=6), max_size=4), redirect=st.booleans())
def test_words_reach_the_program_as_a_shell_would_hand_them(words: list[str], redirect: bool) -> None:
    program = Path(sys.executable).name
    env = {**ENV, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    text = " ".join([program, "-c", "import", *words, *(["> /dev/null"] if redirect else [])])
    short = simple([*SH, text], env)
    assert short is not None
    shown = subprocess.run(
        ["/bin/sh", "-c", f'set -- {text.partition(" > ")[0]}\nprintf "%s\\n" "$@"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.splitlines() == short.argv


def ran(argv: list[str], env: dict[str, str], folder: Path) -> tuple[int, bytes, bytes, bytes]:
    """Code, both outputs, and the content of `out`, which is removed."""
    done = subprocess.run(argv, env=env, cwd=folder, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr, content(folder / "out")


def ran_directly(short: Simple, folder: Path) -> tuple[int, bytes, bytes, bytes]:
    """The same of a program without its shell."""
    with (folder / short.output if short.output else Path(os.devnull)).open("wb") as output:
        done = subprocess.run(
            short.argv,
            executable=short.path,
            env=short.env,
            cwd=folder,
            stdout=output if short.output else subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
    return done.returncode, done.stdout or b"", done.stderr, content(folder / "out")


def content(path: Path) -> bytes:
    """What is in a file, which is removed."""
    data = path.read_bytes() if path.exists() else b"-"
    path.unlink(missing_ok=True)
    return data
