"""The commit that a workspace is at, by git."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit and when it was made; `dirty` says that files differ from it. Without git, all is empty."""

    id: str = ""
    dirty: bool = False
    committed_s: float | None = None


def commit_of(root: Path, results: str) -> Commit:
    """The commit of the workspace at `root`; files in the folder `results` do not make it dirty."""
    shown = _git(root, "show", "--no-patch", "--format=%H %ct", "HEAD")
    if not shown:
        return Commit()
    name, _, committed = shown.partition(" ")
    changed = _git(root, "status", "--porcelain", "--", ".", f":(exclude){results}")
    return Commit(id=name, dirty=bool(changed), committed_s=float(committed))


def _git(root: Path, *words: str) -> str:
    """What git says; '' where there is none or it refuses."""
    try:
        done = subprocess.run(("git", "-C", str(root), *words), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return "" if done.returncode else done.stdout.strip()
