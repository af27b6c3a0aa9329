"""`compile_model`: from a module, a model's folder or a project to an accelerator that answers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from stbuild import layout
from stbuild.engine.graph.label import Label, Pattern, default_name
from stbuild.engine.graph.names import path_problem
from stbuild.engine.load.workspace import Workspace, default_configuration, find_workspace
from stbuild.engine.record.events import Events
from stbuild.engine.session import Request, Session, session
from stbuild.errors import StbuildError
from stbuild.library.building import BUNDLE, build, bundle_of, default_options, failed, summary_of
from stbuild.library.cells import told_by_cell
from stbuild.library.module_project import file_module
from stbuild.library.progress import Listener, Progress, ProgressEvents
from stbuild.library.project import make_project, project_name
from stbuild.library.store import Filed, file_once
from stbuild.package.bundle import load_bundle
from stbuild.runtime.accelerator import Accelerator, Report, report_of

if TYPE_CHECKING:
    from torch import nn

Model = Union["nn.Module", str, PathLike[str]]
_REPORT = "report.txt"


@dataclass(frozen=True, kw_only=True)
class _Made:
    """A package to build, and the attributes of its accelerator that differ from those in its BUILD.yaml."""

    folder: Path
    attributes: Mapping[str, object]


def compile_model(
    model: Model,
    *,
    platform: str | None = None,
    target: str | None = None,
    context: int | None = None,
    tokenizer: object | None = None,
    attributes: Mapping[str, object] | None = None,
    name: str | None = None,
    folder: str | PathLike[str] | None = None,
    check: bool = True,
    progress: Listener | None = None,
) -> Accelerator:
    """Build an accelerator for `model` and check it against the reference, bit for bit.

    `model` is a torch.nn.Module, a Hugging Face folder, a .gguf file, or the folder of a project with a
    BUILD.yaml. Only what has changed is done: an equal module is found in the cache, and one with other
    weights is neither lowered nor compiled again. A StbuildError says what is wrong and what to do.

    `context` is how many tokens the KV cache holds (default: what the model was made for, at most 2048).
    `tokenizer` belongs to a module: one of transformers or tokenizers, or a folder with a tokenizer.json.
    `attributes` are those of llm_accelerator, such as {"prompts": ["Hello"], "channels": 8}; with "weights"
    or "seed" among them the module's own parameters are not read. `name` names the design. `folder`, in a
    workspace, keeps the project. `progress` is called with each `Progress`; `print` will do.
    """
    began = time.monotonic()
    _check_types(attributes, progress)
    tell: Listener = progress or (lambda _: None)
    wanted = dict(attributes or {}) | ({} if context is None else {"context": context})
    with told_by_cell():
        made = _made(model, tokenizer, wanted, name, Path(folder) if folder is not None else None, tell)
        workspace = find_workspace(made.folder)
        package = made.folder.resolve().relative_to(workspace.root.resolve()).as_posix()
        own = Label(package=package, name=default_name(package))
        request = Request(
            patterns=(Pattern(package=package, name=own.name if check else BUNDLE),),
            configuration=default_configuration(workspace, platform, target),
            overrides={own: dict(made.attributes)} if made.attributes else {},
        )
        return _built(workspace, request, ProgressEvents(tell), began)


def _check_types(attributes: object, progress: object) -> None:
    if attributes is not None and not isinstance(attributes, Mapping):
        raise StbuildError(
            f"`attributes` is a mapping, got {type(attributes).__name__}", hint='write {"channels": 8}'
        )
    if progress is not None and not callable(progress):
        raise StbuildError(f"`progress` is a function, got {type(progress).__name__}", hint="`print` will do")


def _made(
    model: Model,
    tokenizer: object | None,
    wanted: dict[str, object],
    name: str | None,
    folder: Path | None,
    tell: Listener,
) -> _Made:
    if name is not None and (problem := path_problem(name) or "has a slash" * ("/" in name)):
        raise StbuildError(f"the name {name!r} {problem}", hint="use letters, digits and _")
    if not isinstance(model, str | PathLike):
        tell(Progress(text=f"exporting {type(model).__name__}"))
        chosen = name or project_name(Path(type(model).__name__))
        context: Any = wanted.pop("context", None)
        made = file_module(model, tokenizer, name=chosen, context=context, attributes=wanted, folder=folder)
        return _Made(folder=made, attributes={})
    path = Path(model).expanduser().absolute()
    if tokenizer is not None:
        raise StbuildError("`tokenizer` belongs to a module; a folder brings its own", hint="leave it out")
    if (path / layout.BUILD_FILE).is_file():
        if name is not None or folder is not None:
            raise StbuildError(f"{path} is a project already", hint="leave `name` and `folder` out")
        return _Made(folder=path, attributes=wanted)
    tell(Progress(text=f"reading {path.name}"))
    project = make_project(path, name=name, attributes=wanted)
    return _Made(folder=file_once(Filed(name=project.name, write=project.write), folder), attributes={})


def _built(workspace: Workspace, request: Request, events: ProgressEvents, began: float) -> Accelerator:
    package = request.patterns[0].package
    with session(workspace, request, Events(events), None) as opened:
        command = f"compile_model {request.patterns[0]}"
        report = build(opened, default_options(workspace), command=command, began=began)
        if report.failures:
            raise failed(report.failures[0], workspace)
        bundle = load_bundle(bundle_of(opened, opened.graph.targets[f"//{package}:{BUNDLE}"]))
        known = summary_of(opened, str(opened.labels[0]))
        made = replace(
            report_of(bundle),
            check=known.get("check", ""),
            floats=known.get("floats", ""),
            speed=known.get("speed", ""),
            design=_design(opened, package),
            ran=report.ran,
            cached=report.cached + report.clean,
            seconds=report.seconds,
        )
    return Accelerator(bundle, made)


def _design(opened: Session, package: str) -> str:
    """The report of `partition`, where the package makes one."""
    target = opened.graph.targets.get(f"//{package}:partition")
    files = [] if target is None else [file for file in target.files if file.name == _REPORT]
    return opened.path(files[0]).read_text() if files else ""


__all__ = ["Accelerator", "Report", "compile_model"]
