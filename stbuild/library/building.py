"""One build of a request, for the command line as for `compile_model`: events, report, results."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from stbuild.engine.execution.build import Options, Report
from stbuild.engine.execution.failure import Failure
from stbuild.engine.graph.artifact import Tree
from stbuild.engine.graph.graph import TargetNode
from stbuild.engine.load.workspace import Workspace
from stbuild.engine.record.events import SCHEMA
from stbuild.engine.session import Session
from stbuild.errors import StbuildError

BUNDLE = "xclbin"
"""The target of a package that makes its bundle."""
CLOSING = ("bundle", "check", "floats", "area", "speed")
"""What a build says at its end, in this order, where it has it."""
Origin = Literal["build", "run", "test", "library", "nightly"]
"""Who asks for a build."""


def default_options(workspace: Workspace, *, jobs: int | None = None, keep_going: bool = False) -> Options:
    """How to build where nobody says otherwise."""
    return Options(
        jobs=jobs or workspace.jobs or len(os.sched_getaffinity(0)),
        keep_going=keep_going,
        sandbox=workspace.sandbox,
        resources=workspace.resources,
    )


def build(
    opened: Session, options: Options, *, command: str, began: float, origin: Origin = "library"
) -> Report:
    """Build, and note in the log how it ended; `began` is when the command did, by the monotonic clock."""
    configuration = opened.graph.configuration
    told = {"argv": command, "origin": origin, "pid": os.getpid(), "configuration": configuration}
    opened.events.emit("command", **told, schema=SCHEMA)
    try:
        report = opened.build(options)
    except StbuildError as error:
        opened.events.emit("build_refused", message=str(error))
        raise
    except BaseException as error:
        with suppress(OSError):  # The disk may be full.
            opened.events.emit("build_stopped", reason=_why_stopped(error))
        raise
    report.seconds = time.monotonic() - began
    opened.events.emit(
        "build_finished",
        ran=report.ran,
        cached=report.cached,
        clean=report.clean,
        failed=len(report.failures),
        seconds=round(report.seconds, 3),
    )
    return report


def failed(failure: Failure, workspace: Workspace) -> StbuildError:
    """The sentence for a build that ended with this failure."""
    line = failure.line.removeprefix("error: ")
    what = f"{failure.label}: {failure.mnemonic} {failure.reason}"
    hint = f"log: {workspace.root / failure.log}" if failure.log else failure.hint
    return StbuildError(line or what, hint=hint, exit_code=1)


def _why_stopped(error: BaseException) -> str:
    return "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


def summary_of(opened: Session, label: str) -> dict[str, str]:
    """What a target's summary says, in the order of `CLOSING`."""
    summary: dict[str, str] = {}
    for file in opened.graph.targets[label].summary:
        summary.update(json.loads(opened.path(file).read_text()))
    return {name: summary[name] for name in CLOSING if summary.get(name)}


def bundle_of(opened: Session, target: TargetNode) -> Path:
    """The bundle among a target's files: its one tree, else its one file, else the folder they lie in."""
    trees = [file for file in target.files if isinstance(file, Tree)]
    for group in (trees, list(target.files)):
        if len(group) == 1:
            return opened.path(group[0])
    if target.files:
        return opened.path(target.files[0]).parent
    raise StbuildError(f"{target.label} makes no bundle", where=target.where)
