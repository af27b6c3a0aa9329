"""From options to a request: workspace, configuration, patterns and overrides."""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from stbuild import layout
from stbuild.console import Display, make_display
from stbuild.engine.execution.build import Options
from stbuild.engine.graph.label import Label, Pattern, default_name, parse_label, parse_pattern
from stbuild.engine.graph.names import path_problem
from stbuild.engine.load.workspace import Workspace, default_configuration, find_workspace
from stbuild.engine.record.events import EventLog, Events, Listener
from stbuild.engine.session import Request
from stbuild.errors import StbuildError


def open_workspace() -> Workspace:
    """The workspace of the current directory."""
    return find_workspace(Path.cwd())


def make_request(
    workspace: Workspace, options: argparse.Namespace, labels: Sequence[str], *, tests: bool = False
) -> Request:
    """The request that the options and labels stand for."""
    patterns = tuple(pattern_of(workspace, text) for text in labels) or (_here(workspace),)
    configuration = default_configuration(workspace, options.platform, options.target, options.cpu)
    overrides = [_override(text) for text in options.set]
    if options.weights:
        overrides += _weights(workspace, configuration, patterns, options.weights)
    merged: dict[Label, dict[str, Any]] = {}
    for label, name, value in overrides:
        merged.setdefault(label, {})[name] = value
    return Request(patterns=patterns, configuration=configuration, overrides=merged, tests=tests)


def build_options(workspace: Workspace, options: argparse.Namespace) -> Options:
    """How to build, from the command line and the workspace's defaults."""
    return Options(
        jobs=options.jobs or workspace.jobs or len(os.sched_getaffinity(0)),
        keep_going=options.keep_going,
        keep_dirs=options.keep_dirs,
        verbose=options.verbose,
        sandbox=options.sandbox or workspace.sandbox,
        resources=workspace.resources,
    )


def display_of(options: argparse.Namespace) -> Display:
    """The display that the options and the terminal call for."""
    return make_display(plain=options.plain, verbose=options.verbose)


@contextmanager
def listened_to(options: argparse.Namespace, *listeners: Listener) -> Iterator[Events]:
    """Events for these listeners, and for the file of `--events`."""
    if not options.events:
        yield Events(*listeners)
        return
    path = Path(options.events).absolute()
    if not path.parent.is_dir():
        raise StbuildError(f"--events: the folder {path.parent} does not exist")
    with closing(EventLog(path)) as log:
        yield Events(log, *listeners)


def cache_dir(options: argparse.Namespace) -> Path | None:
    """The cache that the command line names."""
    return Path(options.cache_dir).expanduser().absolute() if options.cache_dir else None


def pattern_of(workspace: Workspace, text: str) -> Pattern:
    """The pattern that a user means: paths start at the current folder, else at the workspace's root."""
    if text in (".", "./"):
        return _here(workspace)
    if text.startswith("//"):
        return parse_pattern(text, package="")
    here = Path.cwd().relative_to(workspace.root).as_posix().removeprefix(".")
    if text.startswith(":"):
        file = Path(here, layout.BUILD_FILE)
        if not (workspace.root / file).is_file():
            message = f"{text} is a target of the folder that you stand in, which is no package"
            raise StbuildError(message, hint=f"{file} does not exist")
        return parse_pattern(text, package=here)
    text = _relative_to_root(workspace, text)
    folder = text.partition(":")[0].removesuffix("...").rstrip("/")
    if folder and path_problem(folder):
        return parse_pattern(f"//{text}", package="")  # which refuses it, before it is looked for
    beside = f"{here}/{folder}".strip("/") if here else folder
    if (workspace.root / beside / layout.BUILD_FILE).is_file() or (text.endswith("...") and here):
        return parse_pattern(f"//{here}/{text}" if here else f"//{text}", package="")
    if folder == text and "/" not in text and not (workspace.root / text).is_dir():
        return parse_pattern(f":{text}", package=here)
    return parse_pattern(f"//{text}", package="")


def _relative_to_root(workspace: Workspace, text: str) -> str:
    text = text.rstrip("/").removeprefix("./") or "."
    path = Path(text.partition(":")[0])
    if path.is_absolute() and path.is_relative_to(workspace.root):
        rest = text[len(str(path)) :]
        return f"{path.relative_to(workspace.root).as_posix()}{rest}"
    return text


def _here(workspace: Workspace) -> Pattern:
    package = Path.cwd().relative_to(workspace.root).as_posix().removeprefix(".")
    if not (workspace.root / package / layout.BUILD_FILE).is_file():
        raise StbuildError(
            "name a target", hint="for example `stbuild //...` or `stbuild projects/smollm2_135m`"
        )
    return Pattern(package=package, name=default_name(package)) if package else Pattern(package="")


def _override(text: str) -> tuple[Label, str, Any]:
    place, equals, value = text.partition("=")
    label, dot, name = place.rpartition(".")
    if not (equals and dot and label.startswith("//")):
        raise StbuildError(f"--set takes //package:target.attribute=value, got {text!r}")
    import yaml  # Late, as Analysis below: a build of which little has changed needs neither.

    from stbuild.engine.load.buildfile import refuse_unfit

    try:
        chosen = yaml.safe_load(value)
    except yaml.YAMLError as error:
        problem = str(error).splitlines()[0]
        raise StbuildError(f"--set {place}: {value!r} is not YAML: {problem}", hint="quote it") from None
    refuse_unfit(chosen, "--set")
    return parse_label(label, package=""), name, chosen


def _weights(
    workspace: Workspace, configuration: Any, patterns: Sequence[Pattern], path: str
) -> list[tuple[Label, str, Any]]:
    real = Path(path).expanduser().absolute()
    if not real.exists():
        raise StbuildError(f"--weights: {real} does not exist")
    from stbuild.engine.load.analysis import Analysis

    probe = Analysis(workspace=workspace, configuration=configuration)
    found = [label for pattern in patterns for label in probe.having(pattern.package, "weights")]
    if not found:
        names = ", ".join(f"//{pattern.package}" for pattern in patterns)
        raise StbuildError(f"--weights: nothing in {names} has an attribute `weights`")
    return [(label, "weights", str(real)) for label in found]
