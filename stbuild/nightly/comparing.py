"""Measures an earlier commit and tonight's in turns: was it the commit or the machine that changed?"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from stbuild.errors import StbuildError
from stbuild.nightly.bench import Bench
from stbuild.nightly.commit_run import Subject, build_bundle
from stbuild.nightly.device_run import run_on_device
from stbuild.nightly.figures import figures_of_runs
from stbuild.nightly.paired import is_shifted
from stbuild.nightly.runs import Broken, Request
from stbuild.nightly.suspicion import Suspect
from stbuild.nightly.values import Cell, Comparison, Point
from stbuild.nightly.worktree import worktree

BUILD_LIMIT_S = 900.0
"""For the old commit's bundle, which the cache has; a link of a day that it has not is ended."""
_NO_REFERENCE = "no reference"
"""The folder without expected tokens: both commits are only timed."""

Values = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Build:
    """A bundle and the stbuild that measures it: that in the folder `code`, or this one."""

    bundle: Path
    code: Path | None = None


def compare(
    bench: Bench, cell: Cell, request: Request, suspects: Sequence[Suspect], log: Path
) -> tuple[Comparison, ...]:
    """What a comparison says to each figure; nothing where no other commit is at hand, which is told."""
    most = bench.plan.measure.pairs
    together = _together(suspects)
    old = _old_point(bench, together) if together and most else None
    if old is None:
        return ()
    names = ", ".join(each.figure for each in together)
    bench.tell(f"{cell}: {names} may have shifted; measuring commit {old.commit[:12]} and tonight's in turns")
    try:
        with _built(bench, cell, old.commit, log) as build:
            found = _in_turns(bench, request, build, together, log, most)
    except StbuildError as error:
        bench.tell(f"{cell}: commit {old.commit[:12]} was not measured beside tonight's: {error}")
        return ()
    return tuple(_comparison(bench, each, old, *found) for each in together if each.figure in found[0][0])


def _together(suspects: Sequence[Suspect]) -> list[Suspect]:
    """Those that one old commit can speak for; what else there is, is suspected tomorrow again."""
    night = min((each.before.night for each in suspects), default=0)
    return [each for each in suspects if each.level[0].night <= night]


def _old_point(bench: Bench, suspects: Sequence[Suspect]) -> Point | None:
    """The last night with the old level whose commit is known and another than tonight's."""
    clean = {night.id for night in bench.history.nights() if not night.dirty and night.commit}
    first = min(suspects, key=lambda each: each.before.night)
    known = [each for each in first.level if each.night <= first.before.night and each.night in clean]
    return known[-1] if known and known[-1].commit != bench.night.commit else None


@contextmanager
def _built(bench: Bench, cell: Cell, commit: str, log: Path) -> Iterator[Build]:
    """The old commit's bundle, in a worktree; a workspace that holds stbuild itself measures by its own."""
    subject = Subject(label=f"//{cell.project}:xclbin", platform=cell.platform, target=cell.target)
    with worktree(bench.workspace.root) as tree:
        tree.checkout(commit)
        bundle = build_bundle(tree.workspace, subject, log, BUILD_LIMIT_S)
        has_own = (tree.workspace / "stbuild/nightly/worker.py").is_file()
        yield Build(bundle=bundle, code=tree.workspace if has_own else None)


def _in_turns(
    bench: Bench, request: Request, build: Build, suspects: Sequence[Suspect], log: Path, most: int
) -> tuple[list[Values], list[Values], dict[str, bool]]:
    """The values of the old and of the new commit, and of each figure whether it shifted.

    Old and new change places in every pair, so that a device that warms up is fair to both.
    """
    nothing = str(bench.folder / _NO_REFERENCE)
    sides = (
        (replace(request, expected=nothing, bundle=str(build.bundle)), build.code),
        (replace(request, expected=nothing), None),
    )
    values: tuple[list[Values], list[Values]] = ([], [])
    verdicts: dict[str, bool] = {}
    while len(verdicts) < len(suspects):
        for side in (0, 1) if len(values[0]) % 2 == 0 else (1, 0):
            values[side].append(_measured(bench, *sides[side], log))
        for each in suspects:
            if each.figure not in values[0][0]:
                verdicts[each.figure] = False
                continue
            old, new = ([one[each.figure] for one in side] for side in values)
            verdict = is_shifted(old, new, upward=each.upward, most=most)
            if verdict is not None:
                verdicts.setdefault(each.figure, verdict)
    return *values, verdicts


def _measured(bench: Bench, request: Request, code: Path | None, log: Path) -> Values:
    found = run_on_device(request, bench.folder, log, code)
    if isinstance(found, Broken):
        raise StbuildError(found.message, where=str(log))
    return {each.name: each.value for each in figures_of_runs(found)}


def _comparison(
    bench: Bench,
    suspect: Suspect,
    old: Point,
    olds: Sequence[Values],
    news: Sequence[Values],
    verdicts: dict[str, bool],
) -> Comparison:
    return Comparison(
        figure=suspect.figure,
        night=bench.night.id,
        before=old.night,
        since=suspect.since,
        large=suspect.large,
        times=len(olds),
        old=median(each[suspect.figure] for each in olds),
        new=median(each[suspect.figure] for each in news),
        is_commit=verdicts[suspect.figure],
    )
