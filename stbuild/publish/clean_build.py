"""The process that `verify --rebuild` builds in: `python -m stbuild.publish.clean_build REQUEST RESULT`."""

import json
import sys
import time
from pathlib import Path

from stbuild.engine.execution.build import Options
from stbuild.engine.graph.label import Label, Pattern, parse_label
from stbuild.engine.load.configured import Configuration
from stbuild.engine.load.workspace import Workspace, find_workspace
from stbuild.engine.record.events import Events
from stbuild.engine.session import Request, session
from stbuild.errors import StbuildError
from stbuild.library.building import build, failed
from stbuild.library.progress import Progress, ProgressEvents
from stbuild.publish.content import files_of, outputs_of
from stbuild.publish.steps import steps_of


def main(request: Path, result: Path) -> int:
    """Build what the request names in the workspace of the current directory, and write what came out."""
    asked = json.loads(request.read_text())
    configuration = Configuration(platform=asked["platform"], target=asked["target"], cpu=asked["cpu"])
    try:
        found = _build(
            find_workspace(Path.cwd()), parse_label(asked["label"], package=""), configuration, asked
        )
    except StbuildError as error:
        found = {"error": str(error)}
    result.write_text(json.dumps(found))
    return 1 if "error" in found else 0


def _build(
    workspace: Workspace, label: Label, configuration: Configuration, asked: dict[str, object]
) -> dict[str, object]:
    pattern = Pattern(package=label.package, name=label.name)
    request = Request(patterns=(pattern,), configuration=configuration)
    options = Options(jobs=int(str(asked["jobs"])), sandbox=workspace.sandbox, resources=workspace.resources)
    show = ProgressEvents(_tell)
    with session(workspace, request, Events(show), None) as opened:
        report = build(opened, options, command=f"rebuild {label}", began=time.monotonic())
        if report.failures:
            raise failed(report.failures[0], workspace)
        outputs = outputs_of(opened, label.package)
        files = {each.path: [each.content.digest, str(each.blob)] for each in files_of(opened, outputs)}
        steps = [
            {"id": step.id, "key": step.key, "outputs": dict(step.outputs)}
            for step in steps_of(opened, outputs)
        ]
    return {"files": files, "steps": steps}


def _tell(progress: Progress) -> None:
    print(f"rebuild {progress}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
