"""`publish`: builds and checks a project, and stores its bundle, signed, in a registry or a folder."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from stbuild.engine.execution.build import Options
from stbuild.engine.graph.label import Label, Pattern, default_name
from stbuild.engine.load.analysis import Analysis
from stbuild.engine.load.workspace import Workspace
from stbuild.engine.record.events import Events
from stbuild.engine.session import Request, session
from stbuild.errors import StbuildError
from stbuild.layout import BUILD_FILE
from stbuild.library.building import build, failed
from stbuild.publish.built import built
from stbuild.publish.storage import open_storage
from stbuild.publish.storing import Publication, Published, store
from stbuild.publish.transfer import Listener


@dataclass(frozen=True, kw_only=True)
class Build:
    """A request with how to build it; `command` is what the log calls it."""

    workspace: Workspace
    request: Request
    options: Options
    events: Events
    command: str
    cache_dir: Path | None = None


def publish(asked: Build, publication: Publication, listener: Listener) -> Published:
    """Build the project of the request, which must pass its check, and publish it."""
    reference, began = publication.reference, time.monotonic()
    if reference.digest:
        message = "a digest comes of publishing and cannot be chosen"
        raise StbuildError(message, where=str(reference), hint=f"give a tag: {reference.place}:v1")
    weights = publication.weights_from
    if weights and weights.folder is not None and reference.folder is None:
        message = "weights in a folder of this machine are at hand for nobody who fetches from a registry"
        raise StbuildError(message, where=str(weights), hint="publish them to a registry first")
    label = project_label(asked)
    with open_storage(reference, write=True) as storage:
        storage.check_writable()  # A place that takes nothing is told before hours of building.
    pattern = Pattern(package=label.package, name=label.name)
    request = replace(asked.request, patterns=(pattern,))
    with session(asked.workspace, request, asked.events, asked.cache_dir) as opened:
        report = build(opened, asked.options, command=asked.command, began=began, origin="build")
        if report.failures:
            raise failed(report.failures[0], asked.workspace)
        with opened.store.gc_lock(), open_storage(reference, write=True) as storage:
            return store(storage, built(opened, label, request.configuration), publication, listener)


def project_label(asked: Build) -> Label:
    """The target that checks the project which the pattern names."""
    patterns, workspace = asked.request.patterns, asked.workspace
    if len(patterns) == 1 and not patterns[0].recursive:
        package, name = patterns[0].package, patterns[0].name
        own = name in (default_name(package), "deploy")
        if own and (workspace.root / package / BUILD_FILE).is_file():
            return Label(package=package, name=str(name))
        analysis = Analysis(workspace=workspace, configuration=asked.request.configuration)
        analysis.packages.match(patterns[0])  # What is not there is refused with the nearest name.
    shown = ", ".join(map(str, patterns))
    raise StbuildError(f"{shown} is not a project", hint="name one folder, such as projects/smollm2_135m")
