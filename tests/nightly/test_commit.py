"""The commit of a night."""

import subprocess
from pathlib import Path

from stbuild.nightly.commit import Commit, commit_of


def git(root: Path, *words: str) -> str:
    """Run git as somebody."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(("git", *who, *words), cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path, "results") == Commit()
    git(tmp_path, "init", "-q")
    assert commit_of(tmp_path, "results") == Commit()


def test_results_do_not_make_a_workspace_dirty_but_other_files_do(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/history.sqlite").write_text("x")
    found = commit_of(tmp_path, "results")
    assert (found.id, found.dirty) == (git(tmp_path, "rev-parse", "HEAD"), False)
    assert found.committed_s is not None and found.committed_s > 1e9
    (tmp_path / "a").write_text("b")
    assert commit_of(tmp_path, "results").dirty
