"""`stbuild bisect --figure` of a real project: nights of its commits, on the emulated card."""

import shutil
from collections.abc import Iterator

import pytest

from stbuild.nightly.commit_run import measure_of
from tests.conftest import WorkspaceFolder
from tests.nightly.conftest import SIZES
from tests.nightly.test_bisect import git

FIRST_BAD = 2
COMMITS = 4


@pytest.fixture
def commits(built: WorkspaceFolder) -> Iterator[list[str]]:
    """Commits of the project `tiny`, one of which halves the channels of its weights."""
    git(built.root, "init", "-q", "-b", "main")
    built.write(".gitignore", "*\n!tiny\n!tiny/*\n!pyproject.toml\n!.gitignore\n")
    ids = []
    for number in range(COMMITS):
        sizes = SIZES.replace("channels: 2", "channels: 1") if number >= FIRST_BAD else SIZES
        built.build_file("tiny", f"llm_accelerator: {{model: model.py, {sizes}}}")
        built.write("tiny/notes.txt", f"{number}")
        git(built.root, "add", "-A")
        git(built.root, "commit", "-q", "-m", f"change {number}")
        ids.append(git(built.root, "rev-parse", "HEAD"))
    yield ids
    built.build_file("tiny", f"llm_accelerator: {{model: model.py, {SIZES}}}")
    for path in (".git", ".gitignore", "tiny/notes.txt"):
        _remove(built, path)


def _remove(built: WorkspaceFolder, path: str) -> None:
    place = built.root / path
    shutil.rmtree(place) if place.is_dir() else place.unlink()


@pytest.mark.slow
def test_the_commit_that_changed_a_figure_is_found(built: WorkspaceFolder, commits: list[str]) -> None:
    ends = ("--good", commits[0], "--bad", commits[-1])
    done = built.ok("bisect", "tiny", "--figure", "cycles@decode", *ends, timeout_s=600)
    assert done.out.splitlines()[0] == commits[FIRST_BAD]
    assert "no noise" in done.err
    assert "2 commits judged, 6 measurements" in done.out
    assert len(git(built.root, "worktree", "list").splitlines()) == 1


def test_a_night_of_a_commit_measures_the_prompts_of_its_figure_alone() -> None:
    assert measure_of("tokens_per_s@9") == {"prompt_tokens": [9]}
    assert measure_of("lut@SLR0") == measure_of("cycles@decode") == measure_of("kl") == {}


def test_a_figure_that_no_night_has_is_a_sentence(built: WorkspaceFolder) -> None:
    ends = ("--good", "a", "--bad", "b")
    told = built.fails("bisect", "tiny", "--figure", "token_per_s@64", *ends)
    assert "a night has no figure 'token_per_s@64' (did you mean 'tokens_per_s'?)" in told
    told = built.fails("bisect", "tiny", "--figure", "tokens_per_s", *ends)
    assert "tokens_per_s is one of each prompt's length (such as tokens_per_s@64)" in told
