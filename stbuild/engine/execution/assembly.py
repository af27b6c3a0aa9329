"""What actions run in, chosen by the options of a build: the sandbox, the folders, leases."""

import os
from pathlib import Path

from stbuild import layout
from stbuild.engine.execution.build import Options
from stbuild.engine.execution.evaluate import Evaluator
from stbuild.engine.execution.folders import Folders, PrivateFolders, SharedFolders
from stbuild.engine.execution.running import RunningActions
from stbuild.engine.execution.sandbox import Sandbox, choose
from stbuild.engine.keys.tracker import TICK_NS
from stbuild.engine.local.executor import Executor
from stbuild.engine.record.events import Events
from stbuild.engine.store.copies import counts_finely
from stbuild.engine.store.lease import Leases


def running_actions(
    root: Path, configuration: str, known: Evaluator, executor: Executor, events: Events, options: Options
) -> RunningActions:
    """The actions of one build in the workspace at `root`; none runs yet."""

    def warn(message: str) -> None:
        events.emit("warning", message=message)

    state = layout.state_dir(root)
    work = f"{state}/work"
    os.makedirs(work, exist_ok=True)
    sandbox = Sandbox(choose(options.sandbox), known.real, known.closures, known.tools, warn)
    if sandbox.kind != "landlock" and not counts_finely(work):
        known.placed.coarse_ns = TICK_NS
    folders: Folders
    if sandbox.kind == "off" and not options.keep_dirs:
        folders = SharedFolders(f"{work}/{configuration}", known.real)
    else:
        folders = PrivateFolders(work, known.real, keep=options.keep_dirs)
    return RunningActions(
        root,
        f"{state}/logs",
        known,
        executor,
        folders,
        sandbox,
        Leases(known.store.root),
        events,
        keep=options.keep_dirs,
    )
