"""A worktree of git in which other commits are built, and in which `git bisect` searches."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from stbuild.errors import StbuildError

PREFIX = "stbuild-worktree-"
"""Of the temporary folder."""
_FOUND = re.compile(r"^([0-9a-f]{40,64}) is the first bad commit$", re.MULTILINE)
_OUTER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
_LEFT = re.compile(r"^([0-9a-f]{40,64})$", re.MULTILINE)


class Verdict(Enum):
    """What a commit is, in the words of `git bisect`."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


@dataclass(frozen=True, kw_only=True)
class Worktree:
    """A worktree at `path`; `workspace` is the folder in it that is the workspace."""

    path: Path
    workspace: Path

    def checkout(self, commit: str) -> None:
        """Put the files of a commit there."""
        done = _git(self.path, "checkout", "--quiet", "--detach", "--force", commit)
        if done.returncode:  # The worktree, which is gone when this is read, is no place to name.
            raise StbuildError(f"git checkout failed: {done.stderr.strip()}")

    def head(self) -> str:
        """The commit whose files are there."""
        return git(self.path, "rev-parse", "HEAD")

    def start(self, good: str, bad: str) -> tuple[str, ...]:
        """Begin a search, as `mark` does."""
        return self._asked("start", bad, good)

    def mark(self, verdict: Verdict) -> tuple[str, ...]:
        """Tell what the commit is and go to the next one.

        Empty while the search goes on; then the first bad commit, or all that may be it where too many
        were skipped.
        """
        return self._asked(verdict.value)

    def _asked(self, *words: str) -> tuple[str, ...]:
        done = _git(self.path, "bisect", *words)
        if found := _FOUND.search(done.stdout):
            return (found[1],)
        if done.returncode == 2:
            return tuple(_LEFT.findall(done.stdout))
        if done.returncode:
            raise StbuildError(
                f"git bisect {' '.join(words)} failed: {done.stderr.strip() or done.stdout.strip()}"
            )
        return ()


@contextmanager
def worktree(root: Path) -> Iterator[Worktree]:
    """A worktree of the repository that the workspace at `root` lies in; it goes when the block ends."""
    top = Path(git(root, "rev-parse", "--show-toplevel"))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    path = folder / "tree"
    try:
        git(root, "worktree", "add", "--quiet", "--detach", "--no-checkout", str(path), "HEAD")
        yield Worktree(path=path, workspace=path / root.resolve().relative_to(top.resolve()))
    finally:
        _remove(folder)
        _git(root, "worktree", "prune")


def commit_named(root: Path, option: str, name: str) -> str:
    """The id of a commit that a user names."""
    if _git(root, "rev-parse", "--git-dir").returncode:
        raise StbuildError(
            "the workspace is in no git repository", where=str(root), hint="`git init` makes one"
        )
    done = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode:
        raise StbuildError(
            f"{option}: git knows no commit {name!r}", hint="`git log --oneline` lists commits"
        )
    return done.stdout.strip()


def check_order(root: Path, good: str, bad: str) -> int:
    """How many commits `bad` has that `good` has not; a StbuildError where it does not come after."""
    if good == bad:
        raise StbuildError("--good and --bad are the same commit")
    if _git(root, "merge-base", "--is-ancestor", good, bad).returncode:
        hint = "swap them" if not _git(root, "merge-base", "--is-ancestor", bad, good).returncode else None
        raise StbuildError(f"--good {good[:12]} is no ancestor of --bad {bad[:12]}", hint=hint)
    return int(git(root, "rev-list", "--count", f"{good}..{bad}"))


def git(place: Path, *words: str) -> str:
    """What git prints; a StbuildError says what it refuses."""
    done = _git(place, *words)
    if done.returncode:
        raise StbuildError(f"git {words[0]} failed: {done.stderr.strip()}", where=str(place))
    return done.stdout.strip()


def _git(place: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run git; variables of an outer git, such as those of a hook, do not reach it."""
    own = {name: value for name, value in os.environ.items() if name not in _OUTER}
    try:
        return subprocess.run(
            ("git", "-C", str(place), *words),
            capture_output=True,
            text=True,
            check=False,
            env={**own, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise StbuildError("git is not installed", hint="apt-get install git") from error


def _remove(folder: Path) -> None:
    """Remove a folder whose outputs may be read-only."""
    for place, _, _ in os.walk(folder):
        Path(place).chmod(0o700)
    shutil.rmtree(folder)
