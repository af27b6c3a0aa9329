"""A shift is the commit's where the old one, measured in the same night, has none; else the machine's."""

import shutil
import socket
from collections.abc import Iterator

import pytest

from stbuild.nightly.history import FILE
from stbuild.nightly.outcome import Fault, Outcome
from stbuild.nightly.values import Comparison, Result
from tests.conftest import WorkspaceFolder
from tests.nightly.conftest import PLAN, RunNight
from tests.nightly.test_bisect import git
from tests.nightly.test_night_alarms import quiet, written

NAME = "tokens_per_s@9"
MEASURE = "prompt_tokens: [9], new_tokens: 3, repeats: 1, launch_limit_s: 5, wait_s: 0.5, pairs: 6, again: 0"
FAST = PLAN.replace(
    "prompt_tokens: [3, 9], new_tokens: 4, repeats: 2, launch_limit_s: 5, wait_s: 0.5", MEASURE
)
SHIFTED = FAST.replace("again: 0", "again: 0, slow_factor: 1.0e+9")


@pytest.fixture
def commits(built: WorkspaceFolder) -> Iterator[tuple[str, str]]:
    """An old commit, and the one that is there: the bundle is the same."""
    git(built.root, "init", "-q", "-b", "main")
    built.write(".gitignore", "*\n!tiny\n!tiny/*\n!pyproject.toml\n!.gitignore\n")
    git(built.root, "add", "-A")
    git(built.root, "commit", "-q", "-m", "old")
    old = git(built.root, "rev-parse", "HEAD")
    git(built.root, "commit", "-q", "--allow-empty", "-m", "new")
    yield old, git(built.root, "rev-parse", "HEAD")
    shutil.rmtree(built.root / ".git")
    (built.root / ".gitignore").unlink()


@pytest.fixture
def known(built: WorkspaceFolder, commits: tuple[str, str], night: RunNight, tmp_path_name: str) -> None:
    """Nights of the old commit with a speed that no device has."""
    history = built.root / f"results-{tmp_path_name}" / FILE
    written(history, {NAME: quiet(150, 1e7)}, socket.gethostname(), commits[0])


@pytest.fixture
def tmp_path_name(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> str:
    """The name by which `night` calls its results."""
    name: str = request.getfixturevalue("tmp_path").name
    return name


def only(results: tuple[Result, ...]) -> tuple[Result, tuple[Comparison, ...]]:
    """The one result, with its comparisons of the speed."""
    (result,) = results
    return result, tuple(each for each in result.comparisons if each.figure == NAME)


@pytest.mark.usefixtures("known")
def test_a_commit_that_is_slower_than_the_old_one_in_the_same_night_is_the_cause(
    night: RunNight, commits: tuple[str, str], built: WorkspaceFolder
) -> None:
    assert night("slow commit", plan=SHIFTED).outcome is Outcome.GOOD  # one night is no shift
    told: list[str] = []
    ended = night("slow commit", plan=SHIFTED, told=told)
    result, (seen,) = only(ended.results)
    assert (result.outcome, result.fault) == (Outcome.SLOWDOWN, None)
    assert (seen.is_commit, seen.times, seen.before) == (True, 6, 149)
    assert seen.new < seen.old / 2
    ends = f"between commits {commits[0][:12]} and {commits[1][:12]} (measured in turns in one night"
    assert ends in result.message
    assert any(f"{NAME} may have shifted; measuring commit {commits[0][:12]} and" in line for line in told)
    assert len(git(built.root, "worktree", "list").splitlines()) == 1
    assert night("slow commit", plan=SHIFTED).outcome is Outcome.GOOD  # a new history has begun


@pytest.mark.usefixtures("known")
def test_a_device_that_is_slow_with_the_old_commit_too_is_the_cause(night: RunNight) -> None:
    for _ in range(3):
        result, seen = only(night("slow", plan=SHIFTED).results)
        if result.outcome is not Outcome.GOOD:
            break
    assert (result.outcome, result.fault) == (Outcome.SLOWDOWN, Fault.SLOW)
    assert [each.is_commit for each in seen] == [False]
    assert "the machine changed" in result.message


def test_a_slow_commit_is_told_from_a_slow_device_after_three_nights(
    night: RunNight, commits: tuple[str, str], built: WorkspaceFolder
) -> None:
    git(built.root, "checkout", "-q", commits[0])
    for _ in range(3):
        assert night(plan=FAST).outcome is Outcome.GOOD
    git(built.root, "checkout", "-q", "main")
    result, (seen,) = only(night("slow commit", plan=FAST).results)
    assert (result.outcome, result.fault, seen.is_commit) == (Outcome.SLOWDOWN, None, True)
    result, seen_later = only(night("slow commit", plan=FAST).results)
    assert (result.outcome, seen_later) == (Outcome.GOOD, ())


def test_an_old_commit_that_is_gone_is_told(
    night: RunNight, commits: tuple[str, str], built: WorkspaceFolder, tmp_path_name: str
) -> None:
    history = built.root / f"results-{tmp_path_name}" / FILE
    written(history, {NAME: quiet(150, 1e7)}, socket.gethostname(), "c" * 40)
    told: list[str] = []
    for _ in range(2):
        result, seen = only(night(plan=SHIFTED, told=told).results)
    assert (result.outcome, result.fault, seen) == (Outcome.SLOWDOWN, None, ())  # of an unknown cause
    assert result.message.endswith(f"between commits {'c' * 12} and {commits[1][:12]}")
    assert any(f"commit {'c' * 12} was not measured beside tonight's: git checkout" in line for line in told)
