"""One request of a user, from labels to a report: opens what a build needs and closes it again."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbuild import layout
from stbuild.engine.execution.assembly import running_actions
from stbuild.engine.execution.build import Build, Options, Report
from stbuild.engine.execution.evaluate import Evaluator
from stbuild.engine.execution.pool import Pool
from stbuild.engine.execution.running import RunningActions
from stbuild.engine.execution.units import Units
from stbuild.engine.graph.action import Node, Template
from stbuild.engine.graph.graph import Graph
from stbuild.engine.graph.label import Label, Pattern
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.configured import Configuration
from stbuild.engine.load.workspace import Workspace
from stbuild.engine.local.executor import Executor, LocalExecutor
from stbuild.engine.local.orphans import end_orphans
from stbuild.engine.local.processes import writer_of
from stbuild.engine.record.events import Events
from stbuild.engine.record.recorder import Recorder
from stbuild.engine.record.retention import Retention
from stbuild.engine.repeat import noop
from stbuild.engine.repeat.delta import Delta, Finished, keep
from stbuild.engine.store.disk import told_when_full
from stbuild.engine.store.files import make_writable
from stbuild.engine.store.lock import exclusive
from stbuild.engine.store.results import ActionCache
from stbuild.engine.store.state import State
from stbuild.engine.store.store import Store
from stbuild.errors import StbuildError, did_you_mean

if TYPE_CHECKING:
    from stbuild.engine.load.analysis import Analysis

EXECUTORS: dict[str, Callable[[], Executor]] = {"local": LocalExecutor}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asked for."""

    patterns: tuple[Pattern, ...]
    configuration: Configuration
    overrides: dict[Label, dict[str, Any]] = field(default_factory=dict)
    tests: bool = False


class Session:
    """A workspace with its state and cache, open for one command."""

    def __init__(
        self,
        workspace: Workspace,
        request: Request,
        events: Events,
        cache_dir: Path,
        choose: "Choose | None" = None,
        delta: Delta | None = None,
    ) -> None:
        self.workspace = workspace
        self.request = request
        self.events = events
        self.tracker = Tracker()
        self.analysis: Analysis
        """Only until the graph is made."""
        self.graph: Graph
        self.labels: list[Label]
        self.state = State(layout.state_dir(workspace.root))
        if delta is not None and not self.state.knows(delta.graph.configuration, delta.untouched):
            delta = None
        self._delta = delta
        if delta is None:
            self._analyze(choose)
        else:
            self.labels, self.graph = delta.labels, delta.graph
            self.tracker.paths.update(delta.paths)
        self._graph_paths = len(self.tracker.paths) if delta is None else delta.graph_paths
        self.keys: dict[str, str] = {}
        self._cache_dir = cache_dir
        self.store = Store(cache_dir, self._warn, writer_of)
        self.evaluator = Evaluator(
            workspace.root,
            layout.out_dir(workspace.root) / self.graph.configuration,
            self.graph.configuration,
            self.state,
            self.store,
            ActionCache(cache_dir, self.store),
            self.tracker,
        )

    def _analyze(self, choose: "Choose | None") -> None:
        from stbuild.engine.load.analysis import Analysis  # Late: with a delta nothing is analysed.

        self.tracker.saw(self.workspace.root / layout.LOCK_FILE)
        for path in own_sources():
            self.tracker.saw(path)
        self.analysis = Analysis(
            workspace=self.workspace,
            configuration=self.request.configuration,
            overrides=self.request.overrides,
            tracker=self.tracker,
        )
        self.labels = self.analysis.match(list(self.request.patterns))
        if choose is not None:
            self.labels = choose(self, self.labels)
        self.graph = self.analysis.graph(self.labels)
        del self.analysis  # The graph stands alone, and what led to it is most of a large build's memory.

    def roots(self, labels: list[Label] | None = None) -> list[str]:
        """The nodes to make: all of a target's own and those that make its files, without tests."""
        wanted: dict[str, None] = {}
        for label in labels or self.labels:
            target = self.graph.targets[str(label)]
            chosen = (
                target.tests if self.request.tests else [n for n in target.nodes if n not in target.tests]
            )
            wanted.update(dict.fromkeys(chosen))
            if not self.request.tests:
                made = [file for file in target.files if file.origin.value == "output"]
                wanted.update((self.graph.producer(file), None) for file in made)
        return list(wanted)

    def build(self, options: Options) -> Report:
        """Build the request."""
        pool = Pool(cpus=options.jobs, units=Units(self._cache_dir), named=options.resources)
        build = Build(self.graph, self.evaluator, self._running(options), pool, self.events, options)
        try:
            if self._delta is None:
                return build.run(self.graph.needed(self.roots()))
            self.evaluator.assume_outputs_unchanged(self.graph.producers)
            touched = [self.graph.nodes[name] for name in self._delta.order if name in self._delta.affected]
            build.report.clean = len(self._delta.order) - len(touched)
            return build.run(touched)
        finally:
            self.keys = build.keys

    def _warn(self, message: str) -> None:
        self.events.emit("warning", message=message)

    def _running(self, options: Options) -> RunningActions:
        executor = EXECUTORS[self.workspace.executor]()
        configuration = self.graph.configuration
        root = self.workspace.root
        return running_actions(root, configuration, self.evaluator, executor, self.events, options)

    def remember_noop(self, argv: list[str], count: int, lines: list[str]) -> None:
        """After a build that succeeded: let the same command answer at once while nothing changes."""
        state = str(layout.state_dir(self.workspace.root))
        self.tracker.settle()
        paths = self.tracker.paths
        if self._delta is not None:
            touched = [self.graph.nodes[name] for name in self._delta.affected]
            marks = self._marks(touched)
            if marks is None:
                return
            marks = {**self._delta.marks, **marks}
            noop.save_answer(state, argv, self._delta.token, paths, marks, count, lines)
            return
        nodes = self.graph.needed(self.roots())
        if not all(isinstance(node, Template) or node.policy.cacheable for node in nodes):
            return
        for tool in self.evaluator.tools.known():
            self.tracker.saw(tool.path)
        marks = self._marks(nodes)
        if marks is None:
            return
        token = os.urandom(8)
        place = noop.save_answer(state, argv, token, paths, marks, count, lines)
        build = Finished(
            graph=self.graph,
            labels=self.labels,
            nodes=nodes,
            paths=list(paths),
            graph_paths=self._graph_paths,
            outputs=list(marks),
            real=self.evaluator.real,
        )
        keep(place, token, build)

    def _marks(self, nodes: Sequence[Node]) -> dict[str, tuple[int, int]] | None:
        """What tells that the outputs do not change; None, with a warning, where one has already."""
        found = self.evaluator.marks(nodes)
        if isinstance(found, str):
            shown = os.path.relpath(found, self.workspace.root)
            self.events.emit("warning", message=f"{shown} was changed while this build ran; build again")
            return None
        return found

    def path(self, file: object) -> Path:
        """Where a file of the graph lies."""
        return Path(self.evaluator.real(file))  # type: ignore[arg-type]  # files only

    def close(self) -> None:
        """Make everything durable."""
        self.evaluator.cache.close()
        self.store.close()
        self.state.close()


Choose = Callable[[Session, list[Label]], list[Label]]


@contextmanager
def session(
    workspace: Workspace,
    request: Request,
    events: Events,
    cache_dir: Path | None,
    *,
    choose: Choose | None = None,
    log: bool = True,
    delta: Delta | None = None,
) -> Iterator[Session]:
    """A session that nobody else has in this workspace; its events are logged as NDJSON.

    `choose` may put other labels in the place of those that the request's patterns match; `delta` spares the
    analysis.
    """
    _check_executor(workspace)
    state = layout.state_dir(workspace.root)
    cache = cache_dir or workspace.cache or layout.default_cache_dir()
    make_writable(cache)
    with (
        told_when_full(str(state)),
        _alone(workspace.root, state, events),
        _recorded(workspace, state, events, log) as keys,
    ):
        opened = Session(workspace, request, events, cache, choose, delta)
        try:
            yield opened
        finally:
            opened.close()
            keys.update(opened.keys)


@contextmanager
def _alone(root: Path, state: Path, events: Events) -> Iterator[None]:
    """Wait until no other build goes on in the workspace."""

    def waiting(pid: str) -> None:
        message = f"another stbuild (process {pid}) builds in {root}; waiting for it"
        events.emit("warning", message=message)

    with exclusive(state / "lock", waiting):
        yield


@contextmanager
def _recorded(workspace: Workspace, state: Path, events: Events, log: bool) -> Iterator[dict[str, str]]:
    """Write down what happens until the end, and then the keys that were put into the dictionary."""
    keys: dict[str, str] = {}
    if not log:
        yield keys
        return
    end_orphans(str(state / "work"))
    recorder = Recorder(state, Retention(days=workspace.log_days, megabytes=workspace.log_mb))
    events.add(recorder)
    try:
        yield keys
    except StbuildError:
        end_orphans(str(state / "work"))  # Perhaps the spawner was killed.
        raise
    finally:
        recorder.close(keys)


def _check_executor(workspace: Workspace) -> None:
    if workspace.executor not in EXECUTORS:
        raise StbuildError(
            f"no executor {workspace.executor!r}",
            where=str(workspace.project_file),
            hint=did_you_mean(workspace.executor, EXECUTORS),
        )


def own_sources() -> list[Path]:
    """The files of stbuild that make a graph: an edit to one of them must be noticed."""
    root = layout.package_root()
    folders = (root / name for name in ("engine", "steps", "toolchain"))
    below = [path for folder in folders for path in folder.rglob("*.py")]
    return [*root.glob("*.py"), *below, *(root / "cli").glob("*.py")]
