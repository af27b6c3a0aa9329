"""Builds targets of one package and says what came of each: files, keys, tools, failures."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stbuild.engine.execution.failure import Failure
from stbuild.engine.graph.label import Label, Pattern
from stbuild.engine.load.configured import Configuration
from stbuild.engine.load.workspace import Workspace
from stbuild.engine.record.events import Events, Listener
from stbuild.engine.session import Request, Session, session
from stbuild.library.building import Origin, build, default_options


@dataclass(frozen=True, kw_only=True)
class Products:
    """`files` are those of the targets that were made, by the target's name; `keys` those of all actions.

    `ran` counts the actions that ran; the others of `keys` had a result, or failed, or were not tried.
    """

    files: Mapping[str, tuple[Path, ...]]
    keys: Mapping[str, str]
    tools: Mapping[str, str]
    failures: tuple[Failure, ...]
    ran: int
    seconds: float

    def file(self, target: str, name: str) -> Path | None:
        """The file or folder `name` of a target, if it was made."""
        return next((path for path in self.files.get(target, ()) if path.name == name), None)

    def joined(self, later: "Products") -> "Products":
        """This and what was built later for the same configuration."""
        return Products(
            files={**self.files, **later.files},
            keys={**self.keys, **later.keys},
            tools={**self.tools, **later.tools},
            failures=(*self.failures, *later.failures),
            ran=self.ran + later.ran,
            seconds=self.seconds + later.seconds,
        )


def build_products(
    workspace: Workspace,
    package: str,
    names: Sequence[str],
    configuration: Configuration,
    *,
    command: str,
    origin: Origin = "library",
    listeners: Sequence[Listener] = (),
) -> Products:
    """Build those of the targets `names` that the package has; one that fails holds up no other."""
    began = time.monotonic()

    def known(opened: Session, _: list[Label]) -> list[Label]:
        calls = opened.analysis.packages.calls(package)
        return [Label(package=package, name=name) for name in names if name in calls]

    request = Request(patterns=(Pattern(package=package),), configuration=configuration)
    with session(workspace, request, Events(*listeners), None, choose=known) as opened:
        options = default_options(workspace, keep_going=True)
        report = build(opened, options, command=command, began=began, origin=origin)
        missing = {failure.label for failure in report.failures} | _labels(opened, report.left_out)
        own = [node for node in opened.graph.targets.values() if _package(node.label) == package]
        return Products(
            files={
                node.label.partition(":")[2]: tuple(opened.path(file) for file in node.files)
                for node in own
                if node.label not in missing
            },
            keys=dict(opened.keys),
            tools={tool.name: tool.version for tool in opened.evaluator.tools.known()},
            failures=tuple(report.failures),
            ran=report.ran,
            seconds=report.seconds,
        )


def _labels(opened: Session, ids: Sequence[str]) -> set[str]:
    return {opened.graph.nodes[each].label for each in ids if each in opened.graph.nodes}


def _package(label: str) -> str:
    return label.removeprefix("//").partition(":")[0]
