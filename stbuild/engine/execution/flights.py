"""Actions under way: from a staged folder over a process to a result in the store."""

import os
import shlex
import time
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from stbuild.engine.execution.collect import collect
from stbuild.engine.execution.command import job_for
from stbuild.engine.execution.evaluate import Evaluator
from stbuild.engine.execution.failure import Failure, limit_hint, line_that_matters, reason_of
from stbuild.engine.execution.folders import Folders, Place, inputs_of
from stbuild.engine.execution.outputs import outputs_problem
from stbuild.engine.execution.sandbox import Sandbox
from stbuild.engine.graph.action import Action
from stbuild.engine.keys.key import Key
from stbuild.engine.local.executor import Executor, Outcome
from stbuild.engine.record.events import Events
from stbuild.engine.store.lease import Leases
from stbuild.engine.store.results import Record

_CHANGED_TRIES = 3
_LONG_S = 1.0


class Flight(Struct, kw_only=True):
    """An action that is running."""

    action: Action
    key: Key
    place: Place
    reason: Any = ("", ())
    given: dict[str, str] = field(default_factory=dict)
    tries: int = 0
    rereads: int = 0


class Landed(Struct, frozen=True, kw_only=True):
    """An action that has ended."""

    action: Action
    failure: Failure | None = None


class Flights:
    """Starts actions and brings their results home."""

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
        self._flying: dict[int, Flight] = {}
        self._again: list[Flight] = []
        self._serial = 0
        os.makedirs(logs, exist_ok=True)

    @property
    def count(self) -> int:
        """How many actions are running or wait to run again."""
        return len(self._flying) + len(self._again)

    def prepare(self) -> None:
        """Actions will come."""
        self._executor.prepare()

    def start(self, action: Action, key: Key, reason: Any, given: dict[str, str]) -> None:
        """Begin an action; `given` are variables that tell it which licences and boards it has."""
        place = self._folders.open(action, key)
        self._launch(Flight(action=action, key=key, place=place, reason=reason, given=given))

    def landed(self, timeout_s: float) -> list[Landed]:
        """The actions that have ended; waits for one at most `timeout_s`."""
        again, self._again = self._again, []
        for flight in again:
            self._folders.close(flight.place)
            flight.place = self._folders.open(flight.action, flight.key)
            self._launch(flight)
        if not self._flying:
            time.sleep(timeout_s)
            return []
        ends = self._executor.wait(timeout_s)
        if not ends:
            return []
        looked: set[str] = set()
        with self._evaluator.store.unswept():
            landings = [self._land(self._flying.pop(end.id), end, looked) for end in ends]
        return [landed for landed in landings if landed is not None]

    def close(self) -> None:
        """End what still runs."""
        self._executor.close()
        self.leases.close()

    def _launch(self, flight: Flight) -> None:
        self._serial += 1
        action = flight.action
        reason, changes = flight.reason
        self._flying[self._serial] = flight
        self._events.emit(
            "action_started",
            **_naming(action),
            argv=action.argv,
            key=flight.key.digest,
            reason=reason,
            changes=changes,
            last_s=self._last.get(self._evaluator.name(action)),
        )
        wall = self._sandbox.around(action, flight.key, flight.place)
        tools = self._evaluator.tools
        self._executor.start(job_for(self._serial, action, flight.place, tools, wall, flight.given))

    def _land(self, flight: Flight, outcome: Outcome, looked: set[str]) -> Landed | None:
        """The result, or None when the action runs again; `looked` are outputs seen since it ended."""
        action = flight.action
        problem = self._problem(flight, outcome, looked)
        changed = self._evaluator.changed_since(flight.key)
        if changed is not None:
            problem = self._reread(flight, changed)
            if not problem:
                return None
        elif problem and flight.tries < action.policy.retries and outcome.fate != "stopped":
            self._retry(flight, problem)
            return None
        landed = self._fail(flight, outcome, problem) if problem else self._succeed(flight, outcome)
        self.leases.release(flight.key.digest)
        self._folders.close(flight.place)
        if self._keep:
            self._events.emit("kept", label=action.label, command=rerun_line(flight))
        return landed

    def _retry(self, flight: Flight, problem: str) -> None:
        flight.tries += 1
        line = line_that_matters(flight.place.log)
        self._events.emit(
            "action_retried", **_naming(flight.action), reason=problem, line=line, attempt=flight.tries
        )
        self._again.append(flight)

    def _problem(self, flight: Flight, outcome: Outcome, looked: set[str]) -> str:
        if outcome.code or outcome.fate:
            return reason_of(outcome, flight.action)
        edited = self._evaluator.edited_output(flight.action, looked)
        if edited is not None:
            shown = os.path.relpath(edited, self._root)
            return f"cannot be trusted: {shown} was edited while {flight.action.label} read it"
        return outputs_problem(flight.place.folder, flight.action)

    def _reread(self, flight: Flight, path: str) -> str:
        shown = os.path.relpath(path, self._root)
        if flight.rereads >= _CHANGED_TRIES:
            return f"cannot end: {shown} keeps changing while it runs"
        flight.rereads += 1
        message = f"{shown} changed while {flight.action.label} read it; running it again"
        self._events.emit("warning", message=message)
        self.leases.release(flight.key.digest)
        flight.key = self._evaluator.key(flight.action)
        self.leases.take(flight.key.digest)
        self._again.append(flight)
        return ""

    def _succeed(self, flight: Flight, outcome: Outcome) -> Landed:
        action = flight.action
        sync = outcome.seconds > _LONG_S
        inputs, store = inputs_of(action, flight.key), self._evaluator.store
        outputs, log = collect(flight.place, action, inputs, self._evaluator.digest, store, sync=sync)
        record = Record(outputs=outputs, log=log, seconds=outcome.seconds)
        if action.policy.cacheable:
            self._evaluator.cache.put(flight.key.digest, record, sync=sync)
        self._evaluator.settle(action, flight.key, record, ran=True)
        self._events.emit(
            "action_finished",
            **_naming(action),
            seconds=round(outcome.seconds, 4),
            peak_kb=outcome.peak_kb,
            log=self._keep_log(flight) if log else "",
        )
        return Landed(action=action)

    def _fail(self, flight: Flight, outcome: Outcome, reason: str) -> Landed:
        action = flight.action
        log = self._keep_log(flight)
        report = self._keep_report(flight)
        line = line_that_matters(log)
        failure = Failure(
            id=action.id,
            label=action.label,
            mnemonic=action.mnemonic,
            reason=reason,
            line=line,
            hint=limit_hint(outcome, action) or self._sandbox.suspect(log, action, self._root),
            log=os.path.relpath(log, self._root),
            where=action.where,
            command=rerun_line(flight) if self._keep else "",
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
        return Landed(action=action, failure=failure)

    def _keep_log(self, flight: Flight) -> str:
        log = f"{self._logs}/{_file_name(flight.action.id)}.log"
        try:
            os.rename(flight.place.log, log)
        except FileNotFoundError:
            Path(log).write_bytes(b"")
        return log

    def _keep_report(self, flight: Flight) -> str:
        """Where the report of a failed action lies now; '' when it made none."""
        report = flight.action.policy.report
        made = f"{flight.place.folder}/{report}"
        if not report or os.path.islink(made) or not os.path.isfile(made):
            return ""
        kept = f"{self._logs}/{_file_name(flight.action.id)}{os.path.splitext(report)[1]}"
        os.rename(made, kept)
        return kept


def rerun_line(flight: Flight) -> str:
    """A line for a shell that runs the action again in its kept folder."""
    return f"cd {shlex.quote(flight.place.folder)} && {shlex.join(flight.action.argv)}"


def _naming(action: Action) -> dict[str, str]:
    return {"id": action.id, "label": action.label, "mnemonic": action.mnemonic}


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name.lstrip("/"))[-180:]
