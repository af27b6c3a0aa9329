"""Finds the commit since which a build fails, or a figure has another level."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from stbuild.errors import StbuildError
from stbuild.nightly.commit_run import Subject, failed_targets, measure
from stbuild.nightly.sequential import Levels, is_bad, levels
from stbuild.nightly.worktree import Verdict, Worktree, check_order, commit_named, worktree

WRONG = 0.05
"""Share of searches that may end at a wrong commit for the noise; the steps share it."""
FEWEST = 5
"""Values of each end before its level counts; two that are equal are exact."""

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The first bad commit, or those one of which it is, since they could not be judged."""

    commits: tuple[str, ...]
    steps: int
    values: int


@dataclass(kw_only=True)
class Search:
    """A search under way; `most` values are taken of a commit before it is skipped as undecided."""

    subject: Subject
    tree: Worktree
    log: Path
    tell: Tell
    most: int
    taken: int = field(default=0)

    def values(self, commit: str, count: int) -> list[float]:
        """So many values of a commit whose files are there."""
        self.taken += count
        self.tell(f"{commit[:12]}: measuring {count} time{'s' if count > 1 else ''}")
        return [measure(self.tree.workspace, self.subject, self.log) for _ in range(count)]

    def failures(self) -> frozenset[str]:
        """The targets that fail at the commit whose files are there."""
        return failed_targets(self.tree.workspace, self.subject, self.log)


def bisect_failure(root: Path, subject: Subject, good: str, bad: str, log: Path, tell: Tell) -> Found:
    """The first commit at which the subject fails to build as it does at `bad`."""
    good, bad = commit_named(root, "--good", good), commit_named(root, "--bad", bad)
    check_order(root, good, bad)
    with worktree(root) as tree:
        search = Search(subject=subject, tree=tree, log=log, tell=tell, most=1)
        wrong = _failures_at(search, bad)
        if not wrong:
            raise StbuildError(
                f"{subject.label} builds at --bad {bad[:12]}", hint="name a commit at which it fails"
            )
        if before := _failures_at(search, good):
            hint = "name a commit at which it builds"
            raise StbuildError(
                f"{subject.label} fails at --good {good[:12]} too: {_named(before, log)}", hint=hint
            )

        def judge(_: str) -> tuple[Verdict, str]:
            failed = search.failures()
            if not failed:
                return Verdict.GOOD, "builds"
            if failed & wrong:
                return Verdict.BAD, f"fails: {_named(failed & wrong, log)}"
            return Verdict.SKIP, f"fails otherwise: {_named(failed, log)}"

        return _searched(search, good, bad, judge)


def bisect_figure(
    root: Path, subject: Subject, good: str, bad: str, log: Path, tell: Tell, most: int
) -> Found:
    """The first commit whose figure is of the level that it has at `bad`, not of that at `good`."""
    good, bad = commit_named(root, "--good", good), commit_named(root, "--bad", bad)
    error = WRONG / math.ceil(math.log2(check_order(root, good, bad) + 1))
    with worktree(root) as tree:
        search = Search(subject=subject, tree=tree, log=log, tell=tell, most=most)
        at = _levels(search, good, bad)
        noise = f"noise {at.deviation:.3g}" if at.deviation else "no noise"
        tell(f"good {at.good:.6g}, bad {at.bad:.6g}, {noise}")

        def judge(commit: str) -> tuple[Verdict, str]:
            if failed := search.failures():
                return Verdict.SKIP, f"does not build: {_named(failed, log)}"
            return _judged(search, commit, at, error)

        return _searched(search, good, bad, judge)


def _levels(search: Search, good: str, bad: str) -> Levels:
    """Measure both ends until they are apart; two equal values of each are exact."""
    samples: dict[str, list[float]] = {good: [], bad: []}
    count = 2
    while len(samples[bad]) < search.most:
        for option, commit in (("--good", good), ("--bad", bad)):
            if failed := _failures_at(search, commit):
                what = f"{search.subject.label} does not build at {option} {commit[:12]}"
                raise StbuildError(f"{what}: {_named(failed, search.log)}", where=str(search.log))
            samples[commit] += search.values(commit, count)
        exact = all(len(set(sample)) == 1 for sample in samples.values())
        found = levels(samples[good], samples[bad])
        if found and (exact or len(samples[bad]) >= FEWEST):
            return found
        if exact and len(samples[bad]) >= FEWEST:
            break
        count = FEWEST
    raise StbuildError(
        f"--good and --bad cannot be told apart: {fmean(samples[good]):.6g} and {fmean(samples[bad]):.6g} "
        f"in {len(samples[good])} measurements each",
        hint="name commits further apart, or measure more often with --most",
    )


def _judged(search: Search, commit: str, at: Levels, error: float) -> tuple[Verdict, str]:
    values: list[float] = []
    while len(values) < search.most:
        values += search.values(commit, 1)
        bad = is_bad(at, values, error)
        if bad is not None:
            return (Verdict.BAD if bad else Verdict.GOOD), f"{fmean(values):.6g} in {len(values)}"
    return Verdict.SKIP, f"undecided: {fmean(values):.6g} in {len(values)}"


def _searched(search: Search, good: str, bad: str, judge: Callable[[str], tuple[Verdict, str]]) -> Found:
    """Let git choose commits and judge each."""
    steps = 0
    left = search.tree.start(good, bad)
    while not left:
        steps += 1
        commit = search.tree.head()
        verdict, why = judge(commit)
        search.tell(f"{commit[:12]}: {verdict.value} ({why})")
        left = search.tree.mark(verdict)
    return Found(commits=left, steps=steps, values=search.taken)


def _failures_at(search: Search, commit: str) -> frozenset[str]:
    search.tree.checkout(commit)
    return search.failures()


def _named(failed: frozenset[str], log: Path) -> str:
    """The targets; a build that cannot begin, the last one of the log, is told by what it said."""
    said = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("error: ")]
    why = f": {said[-1].removeprefix('error: ')}" if said else ""
    return ", ".join(sorted(each or f"the build cannot begin{why}" for each in failed))
