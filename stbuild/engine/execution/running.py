"""Running actions: from a prepared folder over a process to a result in the store."""

import os
import shlex
import time
from pathlib import Path
from typing import Any
from zlib import crc32

from msgspec import Struct, field, structs

from stbuild.engine.execution.collect import collect
from stbuild.engine.execution.command import job_for
from stbuild.engine.execution.evaluate import Evaluator
from stbuild.engine.execution.failure import Failure, explained, limit_hint, line_that_matters, reason_of
from stbuild.engine.execution.folders import ActionDir, Folders, inputs_of
from stbuild.engine.execution.outputs import outputs_problem
from stbuild.engine.execution.sandbox import Sandbox
from stbuild.engine.graph.action import Action
from stbuild.engine.keys.key import Key
from stbuild.engine.local.executor import Executor, Outcome
from stbuild.engine.record.events import Events
from stbuild.engine.store.lease import Leases
from stbuild.engine.store.results import Record
from stbuild.engine.store.store import Gone
from stbuild.engine.store.taking import StillOpen

_CHANGED_TRIES = 3
_LONG_S = 1.0


class RunningAction(Struct, kw_only=True):
    """An action that is running."""

    action: Action
    key: Key
    action_dir: ActionDir
    reason: Any = ("", ())
    given: dict[str, str] = field(default_factory=dict)
    tries: int = 0
    rereads: int = 0
    began_ns: int = 0


class Ended(Struct, frozen=True, kw_only=True):
    """An action that has ended."""

    action: Action
    failure: Failure | None = None


class RunningActions:
    """Starts actions, and stores the results of those that have ended."""

    def __init__(
        self,
        root: Path,
        logs: str,
        evaluator: Evaluator,
        executor: Executor,
        folders: Folders,
        sandbox: Sandbox,
        leases: Leases,
        events: Events,
        *,
        keep: bool,
    ) -> None:
        self.leases = leases
        self._root = root
        self._logs = logs
        self._evaluator = evaluator
        self._executor = executor
        self._folders = folders
        self._sandbox = sandbox
        self._events = events
        self._keep = keep
        self._last = evaluator.state.seconds()
        self._running: dict[int, RunningAction] = {}
        self._again: list[RunningAction] = []
        self._named: dict[str, str] = {}
        self._serial = 0
        os.makedirs(logs, exist_ok=True)

    @property
    def count(self) -> int:
        """How many actions are running or wait to run again."""
        return len(self._running) + len(self._again)

    def prepare(self) -> None:
        """Start what runs actions in the background: there are some to run."""
        self._executor.prepare()

    def start(self, action: Action, key: Key, reason: Any, given: dict[str, str]) -> None:
        """Begin an action; `given` are variables that tell it which licences and boards it has."""
        action_dir = self._folders.open(action, key)
        self._launch(RunningAction(action=action, key=key, action_dir=action_dir, reason=reason, given=given))

    def ended(self, timeout_s: float) -> list[Ended]:
        """The actions that have ended; waits for one at most `timeout_s`."""
        again, self._again = self._again, []
        for run in again:
            self._folders.close(run.action_dir, reusable=False)
            run.action_dir = self._folders.open(run.action, run.key)
            self._launch(run)
        if not self._running:
            time.sleep(timeout_s)
            return []
        ends = self._executor.wait(timeout_s)
        if not ends:
            return []
        looked: set[str] = set()
        with self._evaluator.store.gc_lock():
            results = [self._end(self._running.pop(end.id), end, looked) for end in ends]
        return [ended for ended in results if ended is not None]

    def close(self) -> None:
        """Kill what still runs, and remove its folders."""
        self._executor.close()
        self._folders.end()
        self.leases.close()

    def _launch(self, run: RunningAction) -> None:
        self._serial += 1
        run.began_ns = time.time_ns()
        action = run.action
        reason, changes = run.reason
        self._running[self._serial] = run
        self._events.emit(
            "action_started",
            **_naming(action),
            argv=action.argv,
            key=run.key.digest,
            reason=reason,
            changes=changes,
            last_s=self._last.get(self._evaluator.name(action)),
        )
        wall = self._sandbox.around(action, run.key, run.action_dir)
        tools = self._evaluator.tools
        self._executor.start(job_for(self._serial, action, run.action_dir, tools, wall, run.given))

    def _end(self, run: RunningAction, outcome: Outcome, looked: set[str]) -> Ended | None:
        """The result, or None when the action runs again; `looked` are outputs seen since it ended."""
        action = run.action
        problem = self._problem(run, outcome, looked)
        changed = self._evaluator.changed_since(run.key)
        if changed is not None:
            problem = self._reread(run, changed)
            if not problem:
                return None
        elif problem and run.tries < action.policy.retries and outcome.fate != "stopped":
            self._retry(run, problem)
            return None
        ended = self._fail(run, outcome, problem) if problem else self._keep_result(run, outcome)
        self.leases.release(run.key.digest)
        self._folders.close(run.action_dir, reusable=ended.failure is None)
        if self._keep:
            self._events.emit("kept", label=action.label, command=rerun_line(run))
        return ended

    def _retry(self, run: RunningAction, problem: str) -> None:
        run.tries += 1
        line = line_that_matters(run.action_dir.log)
        self._events.emit(
            "action_retried", **_naming(run.action), reason=problem, line=line, attempt=run.tries
        )
        self._again.append(run)

    def _problem(self, run: RunningAction, outcome: Outcome, looked: set[str]) -> str:
        if outcome.code or outcome.fate:
            return reason_of(outcome, run.action)
        edited = self._folders.replaced(run.action_dir, run.action, run.key)
        edited = edited or self._evaluator.edited_output(run.action, run.key, run.began_ns, looked)
        if edited is not None:
            shown = os.path.relpath(edited, self._root)
            return f"cannot be trusted: {shown} was changed while {run.action.label} read it"
        return outputs_problem(run.action_dir.folder, run.action)

    def _reread(self, run: RunningAction, path: str) -> str:
        shown = os.path.relpath(path, self._root)
        if run.rereads >= _CHANGED_TRIES:
            return f"cannot end: {shown} keeps changing while it runs"
        run.rereads += 1
        message = f"{shown} changed while {run.action.label} read it; running it again"
        self._events.emit("warning", message=message)
        self.leases.release(run.key.digest)
        run.key = self._evaluator.key(run.action)
        self.leases.take(run.key.digest)
        self._again.append(run)
        return ""

    def _keep_result(self, run: RunningAction, outcome: Outcome) -> Ended:
        try:
            return self._succeed(run, outcome)
        except Gone:
            reason = "cannot be trusted: an output was changed while it was put into the cache"
            return self._fail(run, outcome, reason)
        except StillOpen as found:
            path = os.path.relpath(found.path, run.action_dir.folder)
            process = f"{found.process} could still write to {path}"
            outcome = structs.replace(outcome, fate="writing", process=process)
            return self._fail(run, outcome, reason_of(outcome, run.action))

    def _succeed(self, run: RunningAction, outcome: Outcome) -> Ended:
        action = run.action
        sync = outcome.seconds > _LONG_S
        inputs, store = inputs_of(action, run.key), self._evaluator.store
        known = self._evaluator
        outputs, log = collect(run.action_dir, action, inputs, known.real, known.digest, store, sync=sync)
        record = Record(outputs=outputs, log=log, seconds=outcome.seconds)
        if action.policy.cacheable:
            self._evaluator.cache.put(run.key.digest, record, sync=sync)
        self._evaluator.settle(action, run.key, record, ran=True)
        self._events.emit(
            "action_finished",
            **_naming(action),
            seconds=round(outcome.seconds, 4),
            peak_kb=outcome.peak_kb,
            log=self._keep_log(run) if log else "",
        )
        return Ended(action=action)

    def _fail(self, run: RunningAction, outcome: Outcome, reason: str) -> Ended:
        action = run.action
        log = self._keep_log(run)
        report = self._keep_report(run)
        line, meaning = explained(log, action)
        failure = Failure(
            id=action.id,
            label=action.label,
            mnemonic=action.mnemonic,
            reason=reason,
            line=line,
            hint=limit_hint(outcome, action) or meaning or self._sandbox.suspect(log, action, self._root),
            log=os.path.relpath(log, self._root),
            where=action.where,
            command=rerun_line(run) if self._keep else "",
        )
        self._events.emit(
            "action_failed",
            **_naming(action),
            reason=reason,
            line=line,
            log=log,
            report=report,
            seconds=outcome.seconds,
        )
        return Ended(action=action, failure=failure)

    def _keep_log(self, run: RunningAction) -> str:
        log = f"{self._logs}/{self._file_name(run.action)}.log"
        try:
            os.rename(run.action_dir.log, log)
        except FileNotFoundError:
            Path(log).write_bytes(b"")
        return log

    def _keep_report(self, run: RunningAction) -> str:
        """Where the report of a failed action lies now; '' when it made none."""
        report = run.action.policy.report
        made = f"{run.action_dir.folder}/{report}"
        if not report or os.path.islink(made) or not os.path.isfile(made):
            return ""
        kept = f"{self._logs}/{self._file_name(run.action)}{os.path.splitext(report)[1]}"
        os.rename(made, kept)
        return kept

    def _file_name(self, action: Action) -> str:
        """A name for files about an action, its own in one build: `a/b` and `a_b` are told apart."""
        name = _plain(action.id)
        other = self._named.setdefault(name, action.id) != action.id
        return f"{name}-{crc32(action.id.encode()):08x}" if other else name


def rerun_line(run: RunningAction) -> str:
    """A line for a shell that runs the action again in its kept folder."""
    return f"cd {shlex.quote(run.action_dir.folder)} && {shlex.join(run.action.argv)}"


def _naming(action: Action) -> dict[str, str]:
    return {"id": action.id, "label": action.label, "mnemonic": action.mnemonic}


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name.lstrip("/"))[-180:]
