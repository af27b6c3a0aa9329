"""Builds and measures the commit in a worktree, by the stbuild that belongs to it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stbuild import layout
from stbuild.errors import StbuildError
from stbuild.nightly.device_run import with_package
from stbuild.nightly.figures import PROMPT_KINDS
from stbuild.nightly.values import Cell

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
GRACE_S = 10.0
"""For an stbuild that is ended to end its actions."""
_PLAN, _RESULTS = "bisect.yaml", "bisect-results"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is looked at: a target on a platform; the figure `figure` of a project, else what a run prints.

    `device` and `figure` are those of a night.
    """

    label: str
    platform: str
    target: str
    device: str = "native"
    figure: str = ""

    def options(self) -> tuple[str, ...]:
        """The options that choose the configuration."""
        return ("--platform", self.platform, "--target", self.target)


def failed_targets(workspace: Path, subject: Subject, log: Path) -> frozenset[str]:
    """The targets that fail when the subject is built; `''` stands for a build that cannot begin."""
    done = _stbuild(workspace, log, "build", subject.label, "--json", *subject.options())
    if done.returncode == 0:
        return frozenset()
    try:
        failures = json.loads(done.stdout)["failures"]
    except (ValueError, KeyError):
        return frozenset({""})
    return frozenset(each["label"] for each in failures)


def build_bundle(workspace: Path, subject: Subject, log: Path, limit_s: float) -> Path:
    """The folder of the subject's bundle; a StbuildError where it is not built in time."""
    what = f"`stbuild build {subject.label}`"
    try:
        done = _stbuild(workspace, log, "build", subject.label, "--json", *subject.options(), limit_s=limit_s)
    except subprocess.TimeoutExpired:
        raise StbuildError(f"{what} was ended after {limit_s:g} s", where=str(log)) from None
    if done.returncode:
        raise StbuildError(f"{what} ends with {done.returncode}", where=str(log))
    return Path(json.loads(done.stdout)["targets"][subject.label]["files"][0])


def measure(workspace: Path, subject: Subject, log: Path) -> float:
    """One value; a StbuildError says why there is none."""
    return _figure(workspace, subject, log) if subject.figure else _printed(workspace, subject, log)


def measure_of(figure: str) -> dict[str, list[int]]:
    """What a night measures: where the figure is one behind a prompt, prompts of that length alone."""
    kind, _, place = figure.partition("@")
    return {"prompt_tokens": [int(place)]} if kind in PROMPT_KINDS and place.isdecimal() else {}


def _printed(workspace: Path, subject: Subject, log: Path) -> float:
    """The last number that the run prints."""
    done = _stbuild(workspace, log, "run", subject.label, *subject.options())
    numbers = _NUMBER.findall(done.stdout)
    if done.returncode or not numbers:
        why = "prints no number" if not done.returncode else f"ends with {done.returncode}"
        raise StbuildError(f"`stbuild run {subject.label}` {why}", where=str(log), exit_code=1)
    return float(numbers[-1])


def _figure(workspace: Path, subject: Subject, log: Path) -> float:
    """The figure of a night with the one cell."""
    cell = Cell(
        project=subject.label.removeprefix("//"),
        platform=subject.platform,
        target=subject.target,
        device=subject.device,
    )
    entry = {name: [getattr(cell, name)] for name in ("project", "platform", "target", "device")}
    asked = {"matrix": [entry], "measure": measure_of(subject.figure), "results": _RESULTS}
    plan = workspace / _PLAN
    plan.write_text(json.dumps(asked))
    try:
        done = _stbuild(workspace, log, "nightly", _PLAN, "--json", "--new")
    finally:
        plan.unlink()
        shutil.rmtree(workspace / _RESULTS, ignore_errors=True)  # No commit is judged by the ones before.
    try:
        (night,) = json.loads(done.stdout)["cells"]
        return float(night["figures"][subject.figure]["value"])
    except (ValueError, KeyError) as error:
        what = f"no figure {subject.figure} was measured"
        raise StbuildError(what, where=str(log), exit_code=1) from error


def _stbuild(
    workspace: Path, log: Path, *words: str, limit_s: float | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the stbuild that stands in the worktree, else the installed one; the log has all that it says.

    One that takes longer than `limit_s` is ended with all that it started.
    """
    argv = (sys.executable, "-m", "stbuild", *words)  # without -P: the worktree's own package comes first
    with subprocess.Popen(
        argv,
        cwd=workspace,
        env=with_package(layout.package_root().parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=limit_s is not None,
    ) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except BaseException:
            _end(process, with_group=limit_s is not None)
            raise
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ stbuild {' '.join(words)}\n{out}{err}\n")
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _end(process: "subprocess.Popen[str]", *, with_group: bool) -> None:
    """End a process, after the time that an stbuild takes to end its actions."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=GRACE_S)
    if with_group:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
