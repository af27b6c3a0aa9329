"""`stbuild run`: make a target and run it; what follows goes to the program."""

import argparse
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial
from importlib import import_module
from types import ModuleType

from stbuild.cli.build import build_and_tell, close
from stbuild.cli.fetch import fetched
from stbuild.cli.parser import add_build_options
from stbuild.cli.request import cache_dir, display_of, listened_to, make_request, open_workspace
from stbuild.engine.graph.artifact import File
from stbuild.engine.graph.label import Label, default_name
from stbuild.engine.session import Session, session
from stbuild.errors import StbuildError
from stbuild.library.building import BUNDLE, bundle_of
from stbuild.publish.reference import is_reference


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command; all others belong to the program."""
    parser.add_argument(
        "label",
        nargs="?",
        metavar="LABEL",
        help="a project's folder, a target that can run, or a publication: oci://…",
    )
    parser.add_argument("--key", metavar="FILE", help="with oci://…: the publisher's public key")
    add_build_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Build, let go of the workspace, run; or fetch, verify, run."""
    if options.label and is_reference(options.label):
        _commands().parse(list(options.rest))
        return int(_commands().run(fetched(options.label, options.key).bundle, list(options.rest)))
    workspace = open_workspace()
    request = make_request(workspace, options, [options.label] if options.label else [])
    display = display_of(options)
    choose = partial(_runnable, rest=options.rest)
    with (
        closing(display),
        listened_to(options, display) as events,
        session(workspace, request, events, cache_dir(options), choose=choose) as opened,
    ):
        report = build_and_tell(opened, workspace, options, origin="run")
        display.close()
        if report.failures or report.ran:
            close(opened, report, sys.stderr)
        if report.failures:
            return 1
        target = opened.graph.targets[str(opened.labels[0])]
        argv = [str(opened.path(each)) if isinstance(each, File) else each for each in target.run_argv]
        bundle = None if argv else bundle_of(opened, target)
    if bundle is None:
        return subprocess.run([*argv, *options.rest], check=False).returncode
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing is left to put in order
    return int(_commands().run(bundle, list(options.rest)))


def _commands() -> ModuleType:
    """What a bundle is run with; it brings numpy, which building does not need."""
    return import_module("stbuild.runtime.commands")


def _runnable(opened: Session, labels: list[Label], *, rest: list[str]) -> list[Label]:
    """The one target to build: the label when it says how it runs, else the bundle of its package.

    Arguments that no bundle takes are refused here, before anything is built.
    """
    if len(labels) != 1:
        raise StbuildError(f"run takes one target, this is {len(labels)}")
    label = labels[0]
    opened.analysis.analyze(label)
    target = opened.analysis.graph([label]).targets[str(label)]
    if target.run_argv:
        return labels
    if label.name == BUNDLE:
        _commands().parse(rest)
        return labels
    calls = opened.analysis.packages.calls(label.package)
    own = label.name in (default_name(label.package), "deploy")
    if own and BUNDLE in calls:
        _commands().parse(rest)
        return [Label(package=label.package, name=BUNDLE)]
    raise StbuildError(f"{label} cannot be run", where=target.where, hint="name a project's folder")
