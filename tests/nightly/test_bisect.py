"""`stbuild bisect` in a small git repository, with measurements whose noise is seeded."""

import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from stbuild.nightly.sequential import Levels, is_bad, levels
from tests.conftest import WorkspaceFolder

BENCH = '''"""A program that prints the speed of its source, with noise."""

from dataclasses import dataclass

from stbuild.api import Context, File, FilesInfo, rule


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Runs `program` on `src`."""

    src: File
    program: File
    data: FilesInfo


@rule
def bench(ctx: Context[Bench]) -> FilesInfo:
    """Declare what runs."""
    ctx.runnable(["python3", ctx.attrs.program, ctx.attrs.src])
    return FilesInfo(files=ctx.attrs.data.files)
'''
PROGRAM = """
import os, random, sys
from pathlib import Path
count = Path(os.environ["BENCH_COUNT"])
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
speed, noise = map(float, Path(sys.argv[1]).read_text().split())
print("run", number, "speed", speed + noise * random.Random(number).gauss(0, 1))
"""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A workspace with history."""

    workspace: WorkspaceFolder
    commits: Sequence[str]

    def bisect(self, *words: str, code: int = 0) -> tuple[str, str]:
        """What `stbuild bisect p` prints and says, between the first and the last commit."""
        ends = ("--good", self.commits[0], "--bad", self.commits[-1])
        done = self.workspace.run("bisect", *words, *ends, timeout_s=900)
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        return done.out, done.err

    def clean(self) -> bool:
        """Whether no worktree is left and the checkout is as it was."""
        listed = git(self.workspace.root, "worktree", "list").splitlines()
        return len(listed) == 1 and git(self.workspace.root, "status", "--porcelain") == ""


def git(root: Path, *words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    return subprocess.run(
        ("git", *identity, *words), cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def repository(workspace: WorkspaceFolder, speeds: Sequence[str], commands: Sequence[str]) -> Repository:
    """A commit for each speed `level noise` and command of a genrule."""
    root = workspace.root
    git(root, "init", "-q", "-b", "main")
    workspace.write(".gitignore", "stbuild-out\n")
    workspace.write("rules/bench.py", BENCH)
    workspace.write("p/program.py", PROGRAM)
    workspace.env["BENCH_COUNT"] = str(root.parent / "count")
    commits = []
    for number, (speed, command) in enumerate(zip(speeds, commands, strict=True)):
        workspace.write("p/speed.txt", speed)
        workspace.build_file(
            "p",
            f"genrule: {{name: data, srcs: [speed.txt], outs: [out.txt], cmd: '{command}'}}",
            "genrule: {name: p, outs: [two.txt], cmd: 'touch $@'}",
            "bench: {name: bench, src: speed.txt, program: program.py, data: ':data'}",
        )
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "-m", f"change {number}")
        commits.append(git(root, "rev-parse", "HEAD"))
    return Repository(workspace=workspace, commits=commits)


GOOD, FAILS = "cp $< $@", "exit 3"


def test_the_commit_of_a_slowdown_is_found_through_noise_and_broken_commits(
    workspace: WorkspaceFolder,
) -> None:
    speeds = ["100 1"] * 9 + ["94 1"] * 4
    commands = [GOOD] * 4 + [FAILS, GOOD, FAILS] + [GOOD] * 6
    made = repository(workspace, speeds, commands)
    out, told = made.bisect("p:bench", "--printed")
    assert out.splitlines()[0] == made.commits[9]
    assert "A, " in out and ": change 9" in out
    assert "skip (does not build: //p:data)" in told
    assert made.clean()


def test_an_exact_figure_takes_one_measurement_a_commit(workspace: WorkspaceFolder) -> None:
    made = repository(workspace, ["7 0"] * 5 + ["8 0"] * 4, [GOOD] * 9)
    out, told = made.bisect("p:bench", "--printed")
    assert out.splitlines()[0] == made.commits[5]
    assert "no noise" in told
    assert "3 commits judged, 7 measurements" in out  # two of each end


def test_the_commit_of_a_failure_is_found_and_other_failures_are_skipped(workspace: WorkspaceFolder) -> None:
    commands = [GOOD] * 3 + [FAILS] * 3
    made = repository(workspace, ["1 0"] * 6, commands)
    out, told = made.bisect("p:data")
    assert out.splitlines()[0] == made.commits[3]
    assert "bad (fails: //p:data)" in told


def test_neighbours_that_cannot_be_judged_are_named(workspace: WorkspaceFolder) -> None:
    made = repository(workspace, ["7 0"] * 2 + ["8 0"] * 2, [GOOD, FAILS, FAILS, GOOD])
    _, told = made.bisect("p:bench", "--printed", code=1)
    assert "the commit is one of these, which cannot be judged" in told
    assert all(commit[:12] in told.splitlines()[-1] for commit in made.commits[1:])
    assert made.clean()


def test_levels_that_are_not_apart_are_refused(workspace: WorkspaceFolder) -> None:
    made = repository(workspace, ["7 1", "7 1", "7 1"], [GOOD] * 3)
    _, told = made.bisect("p:bench", "--printed", "--most", "8", code=2)
    assert "--good and --bad cannot be told apart" in told


def test_wrong_usage_is_a_sentence(workspace: WorkspaceFolder) -> None:
    ends = ("--good", "HEAD~1", "--bad", "HEAD")
    assert "the workspace is in no git repository" in workspace.fails("bisect", "p", *ends)
    made = repository(workspace, ["1 0", "1 0", "1 0"], [GOOD] * 3)
    assert "--good: git knows no commit 'v9'" in workspace.fails(
        "bisect", "p", "--good", "v9", "--bad", "HEAD"
    )
    swapped = workspace.fails("bisect", "p", "--good", "HEAD", "--bad", "HEAD~1")
    assert "is no ancestor of --bad" in swapped and "swap them" in swapped
    assert "are the same commit" in workspace.fails("bisect", "p", "--good", "HEAD", "--bad", "main")
    assert "p builds at --bad" in workspace.fails("bisect", "p", *ends)
    assert "--good" in workspace.fails("bisect", "p", "--bad", "HEAD")
    assert "takes a number of 2 or more, got '1'" in workspace.fails("bisect", "p", "--most", "1", *ends)
    told = workspace.fails("bisect", "p:nowhere", *ends)
    assert "fails at --good" in told
    assert "too: the build cannot begin: no target 'nowhere' in //p (" in told
    assert "prints no number" not in workspace.fails("bisect", "p", "--printed", *ends, code=1)
    assert made.clean()


@pytest.mark.parametrize("apart", [0.6, 1.5, 4.0])
def test_the_sequential_test_is_as_often_wrong_as_it_may_and_no_slower_than_needed(apart: float) -> None:
    rng = random.Random(5)
    at = Levels(good=100.0, bad=100.0 - apart, deviation=1.0)
    wrong = taken = 0
    for trial in range(400):
        bad, values, verdict = trial % 2 == 1, [], None
        while verdict is None:
            values.append(rng.gauss(at.bad if bad else at.good, 1.0))
            verdict = is_bad(at, values, 0.05)
        wrong += verdict != bad
        taken += len(values)
    assert wrong / 400 <= 0.07
    assert taken / 400 <= max(2.2, 5.3 / apart**2 + 2.33 / apart + 1)  # Wald's mean and Siegmund's overshoot


def test_one_outlier_decides_nothing() -> None:
    at = Levels(good=100.0, bad=90.0, deviation=1.0)
    assert is_bad(at, [0.0], 0.01) is None
    assert is_bad(at, [0.0, 100.0], 0.01) is None
    assert is_bad(at, [0.0, 100.0, 100.0, 100.0], 0.01) is False


def test_levels_need_to_be_apart() -> None:
    assert levels([1.0, 2.0, 3.0], [1.5, 2.5, 3.5]) is None
    assert levels([5.0, 5.0], [5.0, 5.0]) is None
    found = levels([5.0, 5.0], [6.0, 6.0])
    assert found == Levels(good=5.0, bad=6.0, deviation=0.0)
