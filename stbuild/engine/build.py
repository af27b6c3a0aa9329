"""One build: settles what is at hand, and lets doit run the rest."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stbuild import layout
from stbuild.engine.action import Action, Node, Template
from stbuild.engine.collect import collect
from stbuild.engine.command import job_for
from stbuild.engine.evaluate import Evaluator, Standing
from stbuild.engine.events import Events
from stbuild.engine.executor import Executor, Outcome
from stbuild.engine.explain import why
from stbuild.engine.failure import Failure, line_that_matters, reason_of
from stbuild.engine.graph import Graph
from stbuild.engine.key import Key
from stbuild.engine.pool import Pool
from stbuild.engine.results import Record
from stbuild.engine.staging import missing_outputs, stage

_CHANGED_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to build, none of which changes what comes out."""

    jobs: int
    keep_going: bool = False
    keep_dirs: bool = False
    verbose: bool = False
    sandbox: str = "auto"
    resources: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Report:
    """How a build ended."""

    ran: int = 0
    cached: int = 0
    clean: int = 0
    failures: list[Failure] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(kw_only=True)
class Flight:
    """An action that is running."""

    action: Action
    key: Key
    folder: str
    log: str
    tries: int = 0
    seconds: float = 0.0
    rereads: int = 0


class Build:
    """The engine's side of a run; doit asks it what is settled and tells it what to start."""

    def __init__(
        self,
        root: Path,
        graph: Graph,
        evaluator: Evaluator,
        executor: Executor,
        events: Events,
        options: Options,
    ) -> None:
        self._root = root
        self._graph = graph
        self._evaluator = evaluator
        self._executor = executor
        self._events = events
        self._options = options
        self._pool = Pool(cpus=options.jobs, named=options.resources)
        self._work = f"{layout.state_dir(root)}/work"
        self._logs = f"{layout.state_dir(root)}/logs"
        self._keys: dict[str, Key] = {}
        self._flights: dict[int, Flight] = {}
        self._again: list[Flight] = []
        self._last = evaluator.state.seconds()
        self._reasons: dict[str, Any] = {}
        self._counted: set[str] = set()
        self._children: dict[str, list[Action]] = {}
        self._serial = 0
        self.report = Report()
        os.makedirs(self._logs, exist_ok=True)

    def run(self, roots: list[str]) -> Report:
        """Make the results of these nodes."""
        began = time.monotonic()
        pending = self._settle_ahead(self._graph.needed(roots))
        self._events.emit(
            "build_started", pending=len(pending), clean=self.report.clean, cached=self.report.cached
        )
        try:
            if pending:
                from stbuild.engine.runner import run_dirty

                left = run_dirty(self, pending, self._graph.dependencies, keep_going=self._options.keep_going)
                self.report.left_out = tuple(left)
        finally:
            self._executor.close()
            self._evaluator.state.commit()
        self.report.seconds = time.monotonic() - began
        return self.report

    @property
    def running(self) -> int:
        """How many actions are running or wait to run again."""
        return len(self._flights) + len(self._again)

    def settled(self, node: Node) -> bool:
        """Whether a node's result is at hand; then it is put in place."""
        if isinstance(node, Template):
            self._evaluator.collect(node, self._children[node.id])
            return True
        verdict = self._evaluator.verdict(node)
        match verdict.standing:
            case Standing.CLEAN:
                self.report.clean += node.id not in self._counted
                self._counted.add(node.id)
                return True
            case Standing.HIT:
                assert verdict.record is not None
                self._evaluator.settle(node, verdict.key, verdict.record, ran=False)
                self._counted.add(node.id)
                self.report.cached += 1
                self._events.emit("action_cached", **self._naming(node), saved_s=verdict.record.seconds)
                return True
        self._keys[node.id] = verdict.key
        self._reasons[node.id] = why(self._evaluator, node, verdict.key)
        return False

    def expand(self, template: Template) -> list[Action]:
        """The actions of a template; none when its tree could not be made."""
        if not self._evaluator.knows(template.over):
            return []
        self._children[template.id] = self._evaluator.expand(template)
        return self._children[template.id]

    def start(self, action: Action) -> bool:
        """Begin an action if there is room for it."""
        if not self._pool.take(action.id, action.policy.resources):
            return False
        self._serial += 1
        name = f"{self._serial}"
        flight = Flight(
            action=action,
            key=self._keys.pop(action.id),
            folder=f"{self._work}/{os.getpid()}-{name}",
            log=f"{self._logs}/{_file_name(action.id)}.log",
        )
        self._launch(flight)
        return True

    def finished(self) -> list[tuple[Action, str | None]]:
        """Wait for actions to end; each with what went wrong."""
        ended = []
        for flight in self._again[:]:
            self._again.remove(flight)
            self._launch(flight)
        for outcome in self._executor.wait(0.1):
            flight = self._flights.pop(outcome.id)
            done = self._land(flight, outcome)
            if done is not None:
                self._pool.release(flight.action.id)
                ended.append((flight.action, done or None))
        return ended

    def _settle_ahead(self, nodes: list[Node]) -> list[Node]:
        pending: list[Node] = []
        waiting: set[str] = set()
        for node in nodes:
            if any(each in waiting for each in self._graph.dependencies(node)) or not self._settle_now(node):
                waiting.add(node.id)
                pending.append(node)
        return pending

    def _settle_now(self, node: Node) -> bool:
        if isinstance(node, Action):
            return self.settled(node)
        states = [self.settled(action) for action in self.expand(node)]
        if not all(states):
            return False
        return self.settled(node)

    def _launch(self, flight: Flight) -> None:
        self._serial += 1
        action = flight.action
        stage(flight.folder, action, flight.key, self._evaluator.real)
        job = job_for(self._serial, action, flight.folder, flight.log, self._evaluator.tools)
        self._flights[self._serial] = flight
        reason, changes = self._reasons.pop(action.id, ("tried again", ()))
        self._events.emit(
            "action_started",
            **self._naming(action),
            argv=list(action.argv),
            key=flight.key.digest,
            reason=reason,
            changes=changes,
            last_s=self._last.get(self._evaluator.name(action)),
        )
        self._executor.start(job)

    def _land(self, flight: Flight, outcome: Outcome) -> str | None:
        """'' for success, a sentence for failure, None when the action runs again."""
        action = flight.action
        problem = self._problem(flight, outcome)
        changed = self._evaluator.changed_since_read(action, flight.key)
        if changed is not None:
            return self._reread(flight, changed)
        if problem and flight.tries < action.policy.retries and outcome.fate != "stopped":
            flight.tries += 1
            self._events.emit("action_retried", **self._naming(action), reason=problem, attempt=flight.tries)
            self._again.append(flight)
            return None
        flight.seconds = outcome.seconds
        return self._fail(flight, problem) if problem else self._succeed(flight, outcome)

    def _problem(self, flight: Flight, outcome: Outcome) -> str:
        if outcome.code or outcome.fate:
            return reason_of(outcome, flight.action)
        missing = missing_outputs(flight.folder, flight.action)
        return f"ended well but did not make {', '.join(missing)}" if missing else ""

    def _reread(self, flight: Flight, path: str) -> str | None:
        shown = os.path.relpath(path, self._root)
        if flight.rereads >= _CHANGED_TRIES:
            return self._fail(flight, f"cannot end: {shown} keeps changing while it runs")
        flight.rereads += 1
        self._events.emit(
            "warning", message=f"{shown} changed while {flight.action.label} read it; running it again"
        )
        flight.key = self._evaluator.keys.key(flight.action)
        self._again.append(flight)
        return None

    def _succeed(self, flight: Flight, outcome: Outcome) -> str:
        action = flight.action
        sync = outcome.seconds > 1
        outputs, log = collect(flight.folder, flight.log, action, self._evaluator.store, sync=sync)
        record = Record(outputs=outputs, log=log, seconds=outcome.seconds)
        if action.policy.cacheable:
            self._evaluator.cache.put(flight.key.digest, record, sync=sync)
        self._evaluator.settle(action, flight.key, record, ran=True)
        self._tidy(flight)
        self.report.ran += 1
        self._events.emit(
            "action_finished",
            **self._naming(action),
            seconds=round(outcome.seconds, 4),
            peak_kb=outcome.peak_kb,
            log=flight.log if log else "",
        )
        return ""

    def _fail(self, flight: Flight, reason: str) -> str:
        action = flight.action
        failure = Failure(
            id=action.id,
            label=action.label,
            mnemonic=action.mnemonic,
            reason=reason,
            line=line_that_matters(flight.log),
            log=os.path.relpath(flight.log, self._root),
            where=action.where,
            command=rerun_line(flight) if self._options.keep_dirs else "",
        )
        self.report.failures.append(failure)
        self._tidy(flight)
        self._events.emit(
            "action_failed",
            **self._naming(action),
            reason=reason,
            line=failure.line,
            log=flight.log,
            seconds=flight.seconds,
        )
        return reason

    def _tidy(self, flight: Flight) -> None:
        if self._options.keep_dirs:
            self._events.emit("kept", label=flight.action.label, command=rerun_line(flight))
            return
        from stbuild.engine.store import remove

        remove(flight.folder)

    def _naming(self, action: Action) -> dict[str, str]:
        return {"id": action.id, "label": action.label, "mnemonic": action.mnemonic}


def rerun_line(flight: Flight) -> str:
    """A line for a shell that runs the action again in its kept folder."""
    import shlex

    argv = list(flight.action.argv)
    return f"cd {shlex.quote(flight.folder)} && {shlex.join(argv)}"


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name.lstrip("/"))[-180:]
