"""A night: every place of the matrix in turn; one that was killed goes on where it was."""

import fcntl
import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stbuild import __version__
from stbuild.engine.load.workspace import Workspace
from stbuild.engine.store.disk import FULL
from stbuild.errors import NoRoomError, StbuildError
from stbuild.nightly.alarms import Alarm
from stbuild.nightly.bench import Bench, Tell
from stbuild.nightly.cell_run import is_quarantined, log_of, run_cell
from stbuild.nightly.commit import commit_of
from stbuild.nightly.found import alarms_of_night, judged
from stbuild.nightly.history import FILE, History
from stbuild.nightly.outcome import EXIT_CODES, Outcome, worst
from stbuild.nightly.plan import Plan
from stbuild.nightly.reports import write_reports
from stbuild.nightly.runs import Request
from stbuild.nightly.schema import full_disk
from stbuild.nightly.values import Cell, Night, Result
from stbuild.runtime.devices.lease import lock_folder, same_device

RESUME_S = 24 * 3600.0
"""A night that was killed longer ago is not gone on with."""
NIGHTS = "nights"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a night ended; `folder` has its reports and logs, `alarms` what changed with it."""

    night: Night
    outcome: Outcome
    results: tuple[Result, ...]
    folder: Path
    alarms: Mapping[Cell, tuple[Alarm, ...]]

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.outcome]


def run_night(
    plan: Plan, workspace: Workspace, *, tell: Tell, new: bool = False, opener: str = Request.opener
) -> Ended:
    """Run all cells; with `new` a killed night is not gone on with. `opener` opens the devices."""
    lock_folder()
    place = workspace.root / plan.results
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place), _told_when_full(place), History(place / FILE) as history:
        host = socket.gethostname()
        night, done = _begun(history, plan, workspace.root, host, new)
        if done:
            tell(f"going on with night {night.id}: {len(done)} of {len(plan.matrix)} are done")
        folder = place / NIGHTS / f"{night.id:05}"
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(
            workspace=workspace,
            plan=plan,
            history=history,
            night=night,
            folder=folder,
            tell=tell,
            opener=opener,
        )
        _run_cells(bench, history, night, done)
        results = tuple(history.results(night))
        outcome = worst(each.outcome for each in results)
        history.end(night, outcome)
        night = next(each for each in history.nights() if each.id == night.id)
        for name in _unmeasured(plan, results):
            tell(f"warning: the limit of {name} holds for nothing: no place of the matrix has this figure")
        alarms = {result.cell: alarms_of_night(history, night, result) for result in results}
        ended = Ended(night=night, outcome=outcome, results=results, folder=folder, alarms=alarms)
        write_reports(folder, night, results, plan, alarms)
        _point(place / "latest", folder)
        return ended


def _begun(
    history: History, plan: Plan, root: Path, host: str, new: bool
) -> tuple[Night, dict[Cell, Result]]:
    """The night that was killed, if it is one of the same commit and plan, or a new one."""
    commit = commit_of(root, plan.results)
    nights = [night for night in history.nights() if night.host == host]
    last = nights[-1] if nights else None
    if (
        last is not None
        and not new
        and last.ended_s is None
        and (last.commit, last.plan, last.dirty) == (commit.id, plan.digest, False)
        and not commit.dirty
        and time.time() - last.began_s < RESUME_S
    ):
        return last, {result.cell: result for result in history.results(last)}
    begun = history.begin(
        host=host,
        commit=commit.id,
        dirty=commit.dirty,
        committed_s=commit.committed_s,
        plan=plan.digest,
        stbuild=__version__,
    )
    return begun, {}


def _run_cells(bench: Bench, history: History, night: Night, done: dict[Cell, Result]) -> None:
    """Run what is not done; a device in quarantine since an earlier night gets one try."""
    earlier = history.quarantined(bench.host)
    for number, cell in enumerate(bench.plan.matrix, start=1):
        if cell in done:
            continue
        device = same_device(cell.device)
        now = history.quarantined(bench.host)
        if device in now and device not in earlier:
            result = _left_alone(cell, now[device])
        else:
            tries = 1 if device in earlier else bench.plan.measure.tries
            result = run_cell(bench, cell, tries)
        found = alarms_of_night(history, night, result)
        result = judged(result, found)
        history.add(night, _with_log(bench, night, result))
        if is_quarantined(result) and result.fault is not None:
            history.quarantine(night, device, f"{result.fault.value} in {cell}: {result.message}")
            earlier.pop(device, None)
        elif result.outcome is Outcome.GOOD and device in earlier:
            history.release(bench.host, device)
            earlier.pop(device, None)
        bench.tell(f"[{number}/{len(bench.plan.matrix)}] {line_of(result)}")
        for alarm in found:
            bench.tell(f"  {alarm}")


def line_of(result: Result) -> str:
    """A cell in a line."""
    speeds = [figure for figure in result.figures if figure.kind == "tokens_per_s"]
    told = f", {speeds[-1].value:.1f} tok/s" if speeds else ""
    fault = f" ({result.fault.value})" if result.fault else ""
    why = f": {result.message.splitlines()[0]}" if result.message else ""
    return f"{result.cell}: {result.outcome.value}{fault}{told} in {result.seconds:.1f} s{why}"


def _left_alone(cell: Cell, reason: str) -> Result:
    message = f"{cell.device} is in quarantine since this night: {reason}"
    return Result(cell=cell, outcome=Outcome.NOT_MEASURED, message=message, began_s=time.time(), seconds=0.0)


def _with_log(bench: Bench, night: Night, result: Result) -> Result:
    name = log_of(result.cell)
    there = (bench.folder / name).is_file()
    return replace(result, log=f"{NIGHTS}/{night.id:05}/{name}" if there else "")


def _unmeasured(plan: Plan, results: Sequence[Result]) -> list[str]:
    """The limits whose figure no cell has; all are silent where a cell was not measured."""
    if any(result.outcome in (Outcome.BUILD_FAILED, Outcome.NOT_MEASURED) for result in results):
        return []
    known = {name for result in results for each in result.figures for name in (each.name, each.kind)}
    return [name for name in plan.limits if name not in known]


def _point(link: Path, folder: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(folder, link.parent))


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Let no second night write to the same history."""
    handle = os.open(place / "night.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            hint = "end it, or wait; another `results:` has a history of its own"
            raise StbuildError(
                f"a night goes on already (process {pid})", where=str(place), hint=hint
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


@contextmanager
def _told_when_full(place: Path) -> Iterator[None]:
    """Turn a history that cannot grow into a sentence."""
    try:
        yield
    except sqlite3.OperationalError as error:
        full = full_disk(error, place)
        if full is None:
            raise
        raise full from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        reason = os.strerror(error.errno or 0)
        raise NoRoomError(str(place), reason, EXIT_CODES[Outcome.NOT_MEASURED]) from error
