"""doit's runner with our means: keys say what is up to date, and several actions run at once."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from doit.control import TaskControl
from doit.dependency import DependencyStatus
from doit.exceptions import TaskFailed
from doit.runner import Runner
from doit.task import DelayedLoader, Task

from stbuild.engine.execution.pool import Start
from stbuild.engine.graph.action import Action, Node, Template
from stbuild.errors import StbuildError

if TYPE_CHECKING:
    from stbuild.engine.execution.build import Build

Ready = dict[Any, deque[Any]]
"""doit's nodes that can start, by the resources that they want."""


class KeyedDependencies:
    """Takes the place of doit's dependency manager: what is up to date is a question of keys."""

    def __init__(self, build: "Build", nodes: dict[str, Node]) -> None:
        self._build = build
        self._nodes = nodes

    def get_status(self, task: Task, tasks: Any, get_log: bool = False) -> DependencyStatus:
        """Whether the task must run."""
        status = DependencyStatus(get_log)
        node = self._nodes[task.name]
        status.status = "up-to-date" if self._build.settled(node) else "run"
        return status

    def get_values(self, name: str) -> dict[str, Any]:
        """doit's values between tasks, which we do not use."""
        return {}

    def status_is_ignore(self, task: Task) -> bool:
        """No task is ignored."""
        return False

    def save_success(self, task: Task) -> None:
        """The result was recorded when the action ended."""

    def remove_success(self, task: Task) -> None:
        """A failure records nothing."""

    def close(self) -> None:
        """Nothing is held back until the end."""


class ActionTask(Task):  # type: ignore[misc]  # doit has no types
    """A task that is a name and what comes before it.

    doit gives a task three dozen attributes, 3 KB; of those that we leave empty, all tasks share one.
    """

    loader = result = verbosity = cfg_values = meta = subtask_of = doc = pos_arg = None
    has_subtask = executed = False
    setup_tasks = targets = wild_dep = teardown = uptodate = value_savers = params = ()
    file_dep: frozenset[str] = frozenset()
    calc_dep: ClassVar[set[str]] = set()  # doit copies it
    getargs: Mapping[str, Any] = MappingProxyType({})
    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, name: str, task_dep: list[str]) -> None:
        self.name = name
        self.task_dep = task_dep


class Reporter:
    """doit's reports; what a user sees comes from our own events."""

    def __init__(self) -> None:
        self.unmet: list[str] = []

    def add_failure(self, task: Task, failure: Any) -> None:
        """Remember what could not run since something before it failed."""
        if failure.get_name() == "UnmetDependency":
            self.unmet.append(task.name)

    def runtime_error(self, message: str) -> None:
        """An invalid graph, which analysis should have refused."""
        raise StbuildError(message)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name == "initialize":
            raise AttributeError(name)
        return _ignore


class ActionRunner(Runner):  # type: ignore[misc]  # doit has no types
    """Keeps as many actions running as there is room for; one that must wait holds up no other."""

    def __init__(self, build: "Build", nodes: dict[str, Node], *, keep_going: bool) -> None:
        self._build = build
        self._nodes = nodes
        super().__init__(KeyedDependencies(build, nodes), Reporter(), continue_=keep_going)

    def run_tasks(self, task_dispatcher: Any) -> None:
        """Run everything that the dispatcher knows."""
        ready: Ready = {}
        processed: deque[Any] = deque()
        nodes_by_id: dict[str, Any] = {}
        open_end = True
        while True:
            open_end = open_end and self._fill(task_dispatcher, ready, processed, nodes_by_id)
            self._begin(ready)
            if not self._build.running and (self._stop_running or not (open_end or ready)):
                return
            for action, problem in self._build.finished():
                node = nodes_by_id[action.id]
                self.process_task_result(node, TaskFailed(problem) if problem else None)
                processed.append(node)
                open_end = True

    def _fill(self, dispatcher: Any, ready: Ready, processed: deque[Any], known: dict[str, Any]) -> bool:
        while not self._stop_running:
            try:
                node = dispatcher.generator.send(processed.popleft() if processed else None)
            except StopIteration:
                return False
            if node == "hold on":
                if processed:
                    continue
                return True
            if self.select_task(node, dispatcher.tasks):
                known[self._nodes[node.task.name].id] = node
                action = self._nodes[node.task.name]
                assert isinstance(action, Action)
                ready.setdefault(action.policy.resources, deque()).append(node)
                self._begin(ready)
            else:
                processed.append(node)
        return True

    def _begin(self, ready: Ready) -> None:
        if self._stop_running:
            return
        for wanted in list(ready):
            queue = ready[wanted]
            while queue and self._try(queue):
                pass
            if not queue:
                del ready[wanted]

    def _try(self, queue: deque[Any]) -> bool:
        """Start one of the actions that want the same; a lease may hold up one and not the next."""
        for number, node in enumerate(queue):
            action = self._nodes[node.task.name]
            assert isinstance(action, Action)
            match self._build.start(action):
                case Start.BEGUN:
                    del queue[number]
                    return True
                case Start.NO_ROOM:
                    return False
        return False


def run_dirty(
    build: "Build", pending: list[Node], above: Callable[[Node], list[str]], *, keep_going: bool
) -> list[str]:
    """Let doit run the nodes that are not settled; the ids of those that had to be left out."""
    names = {node.id: str(number) for number, node in enumerate(pending)}
    nodes = {names[node.id]: node for node in pending}
    serial = iter(range(len(pending), 1 << 62))

    def children(node: Template) -> Iterator[Task]:
        made = []
        for action in build.expand_now(node):
            made.append(str(next(serial)))
            nodes[made[-1]] = action
            yield ActionTask(made[-1], [])
        yield Task(names[node.id], None, task_dep=made)

    tasks = [_task(node, names, above(node), children) for node in pending]
    control = TaskControl(tasks)
    control.process(None)
    runner = ActionRunner(build, nodes, keep_going=keep_going)
    runner.run_all(control.task_dispatcher())
    return [nodes[name].id for name in runner.reporter.unmet]


def _task(
    node: Node, names: dict[str, str], above: list[str], children: Callable[[Template], Iterator[Task]]
) -> Task:
    deps = [names[each] for each in above if each in names]
    if isinstance(node, Action):
        return ActionTask(names[node.id], deps)
    loader = DelayedLoader(lambda: children(node))
    return Task(names[node.id], None, task_dep=deps, loader=loader)


def _ignore(*_: Any) -> None:
    """Hear a report of doit that we do not pass on."""
