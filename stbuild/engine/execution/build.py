"""One build: settles what is at hand, and lets doit run the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from stbuild.engine.execution.evaluate import Evaluator, Standing, Verdict
from stbuild.engine.execution.explain import remember_texts, why
from stbuild.engine.execution.failure import Failure
from stbuild.engine.execution.pool import Pool, Start
from stbuild.engine.execution.running import Ended, RunningActions
from stbuild.engine.execution.units import variables
from stbuild.engine.graph.action import Action, Node, Template
from stbuild.engine.graph.graph import Graph
from stbuild.engine.keys.key import Key
from stbuild.engine.record.events import Events
from stbuild.engine.store.store import Gone


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

    @property
    def settled(self) -> int:
        """How many actions have a result."""
        return self.ran + self.cached + self.clean


class Build:
    """The engine's side of a run; doit asks it what is settled and tells it what to start."""

    def __init__(
        self,
        graph: Graph,
        evaluator: Evaluator,
        running: RunningActions,
        pool: Pool,
        events: Events,
        options: Options,
    ) -> None:
        self._graph = graph
        self._evaluator = evaluator
        self._running = running
        self._pool = pool
        self._events = events
        self._options = options
        self._keys: dict[str, Key] = {}
        self._reasons: dict[str, Any] = {}
        self._waiting: set[str] = set()
        self._counted: set[str] = set()
        self._begun = False
        self._children: dict[str, list[Action]] = {}
        self._elsewhere: list[Action] = []
        self.keys: dict[str, str] = {}
        """The key of every action that was looked at, by its id."""
        self.report = Report()

    def run(self, nodes: list[Node]) -> Report:
        """Make the results of these nodes, which come producers first."""
        pending = self._settle_ahead(nodes)
        report = self.report
        actions = sum(isinstance(node, Action) for node in pending)
        self._events.emit("build_started", pending=actions, clean=report.clean, cached=report.cached)
        self._begun = True
        try:
            if pending:
                self._require_tools(pending)
                self._running.prepare()
                from stbuild.engine.execution.runner import run_dirty

                above = self._graph.dependencies
                report.left_out = tuple(run_dirty(self, pending, above, keep_going=self._options.keep_going))
        finally:
            self._running.close()
            self._pool.close()
            self._evaluator.update_change_times(self._actions_of(nodes))
            self._evaluator.state.commit()
        return report

    def _actions_of(self, nodes: list[Node]) -> Iterator[Action]:
        for node in nodes:
            yield from self._children.get(node.id, ()) if isinstance(node, Template) else (node,)

    @property
    def running(self) -> int:
        """How many actions are under way."""
        return self._running.count + len(self._elsewhere)

    def settled(self, node: Node) -> bool:
        """Whether a node's result is at hand; then it is put in place."""
        if isinstance(node, Template):
            self._evaluator.collect(node, self._children[node.id])
            return True
        verdict = self._evaluator.verdict(node)
        self.keys[node.id] = verdict.key.digest
        match verdict.standing:
            case Standing.CLEAN:
                self._count_clean(node)
                return True
            case Standing.HIT if self._take_hit(node, verdict):
                return True
        self._keys[node.id] = verdict.key
        self._reasons[node.id] = why(self._graph, self._evaluator, node, verdict.key)
        return False

    def _count_clean(self, action: Action) -> None:
        if action.id in self._counted:
            return
        self._counted.add(action.id)
        self.report.clean += 1
        if self._begun:
            self._events.emit("action_clean", **naming(action))

    def _take_hit(self, node: Action, verdict: Verdict) -> bool:
        """Put a cached result in place; False when a sweep took it in this very moment."""
        assert verdict.record is not None
        try:
            self._evaluator.settle(node, verdict.key, verdict.record, ran=False)
        except Gone:
            return False
        remember_texts(self._evaluator.state, node)
        self._counted.add(node.id)
        self.report.cached += 1
        self._events.emit("action_cached", **naming(node), saved_s=verdict.record.seconds)
        return True

    def expand(self, template: Template) -> list[Action]:
        """The actions of a template; none when its tree could not be made."""
        if not self._evaluator.knows(template.over):
            return []
        self._evaluator.make_room(template)
        self._children[template.id] = self._evaluator.expand(template)
        return self._children[template.id]

    def expand_now(self, template: Template) -> list[Action]:
        """`expand` in the midst of the build, told to those who count actions."""
        actions = self.expand(template)
        new = sum(action.id not in self._counted for action in actions)
        self._events.emit("template_expanded", id=template.id, label=template.label, actions=new)
        return actions

    def start(self, action: Action) -> Start:
        """Begin an action, if there is room for it and nobody else makes the same result now."""
        lack = self._pool.lacks(action.id, action.policy.resources)
        if lack:
            if lack not in ("cpu", "memory"):
                self._wait(action, lack)
            return Start.NO_ROOM
        key = self._keys[action.id]
        if action.policy.cacheable and not self._running.leases.take(key.digest):
            self._wait(action, "another build that makes the same")
            return Start.HELD
        if action.policy.cacheable and self._evaluator.cache.get(key.digest) and self.settled(action):
            self._running.leases.release(key.digest)
            self._elsewhere.append(action)
            return Start.BEGUN
        units = self._pool.take(action.id, action.policy.resources)
        if isinstance(units, str):
            self._running.leases.release(key.digest)
            self._wait(action, f"{units}, which another build has")
            return Start.NO_ROOM
        self._running.start(action, self._keys.pop(action.id), self._reasons.pop(action.id), variables(units))
        return Start.BEGUN

    def finished(self) -> list[tuple[Action, str | None]]:
        """Wait for actions to end; each with what went wrong."""
        ended: list[tuple[Action, str | None]] = [(action, None) for action in self._elsewhere]
        self._elsewhere.clear()
        for each in self._running.ended(0.0 if ended else 0.2):
            self._pool.release(each.action.id)
            ended.append((each.action, self._book(each)))
        return ended

    def _book(self, ended: Ended) -> str | None:
        if ended.failure is None:
            self.report.ran += 1
            return None
        self.report.failures.append(ended.failure)
        return ended.failure.reason

    def _wait(self, action: Action, what: str) -> None:
        if action.id not in self._waiting:
            self._waiting.add(action.id)
            self._events.emit("action_waiting", **naming(action), what=what)

    def _require_tools(self, pending: list[Node]) -> None:
        """Refuse the build before its first action if a later one needs a program that is not there."""
        if not self._options.keep_going:
            for node in pending:
                programs = dict(node.programs if isinstance(node, Template) else node.policy.programs)
                for name in node.tools:
                    self._evaluator.tools.tool(name, node.where, programs.get(name))

    def _settle_ahead(self, nodes: list[Node]) -> list[Node]:
        pending: list[Node] = []
        waiting: set[str] = set()
        below: Callable[[Node], list[str]] = self._graph.dependencies
        for node in nodes:
            if (waiting and any(each in waiting for each in below(node))) or not self._settle_now(node):
                waiting.add(node.id)
                pending.append(node)
        return pending

    def _settle_now(self, node: Node) -> bool:
        if isinstance(node, Action):
            return self.settled(node)
        states = [self.settled(action) for action in self.expand(node)]
        return all(states) and self.settled(node)


def naming(action: Action) -> dict[str, str]:
    """What every event about an action says."""
    return {"id": action.id, "label": action.label, "mnemonic": action.mnemonic}
