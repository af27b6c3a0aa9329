"""`stbuild init`: a workspace with a project that builds."""

import argparse
import os
from pathlib import Path

from stbuild.engine.graph.names import path_problem
from stbuild.engine.load.analysis import Analysis
from stbuild.engine.load.workspace import default_configuration, find_workspace
from stbuild.errors import StbuildError
from stbuild.library.building import BUNDLE
from stbuild.library.project import make_project, write_project
from stbuild.nightly.example import example_plan
from stbuild.nightly.plan import Plan
from stbuild.nightly.plan_file import FILE

_WORKSPACE = """[tool.stbuild]
platform = "u55c"
target = "sw_emu"
"""
_BUILD = """targets:
  - genrule:
      name: greeting
      srcs: [name.txt]
      outs: [greeting.txt]
      cmd: 'echo "Hello, $$(cat $<)!" > $@'

  - sh_test:
      name: greeting_test
      srcs: [":greeting"]
      cmd: grep Hello $<

  - filegroup:
      name: hello
      srcs: [":greeting"]
"""
_IGNORE = "stbuild-out/\n"


def declare(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument("folder", nargs="?", default=".", help="the workspace to make (default: here)")
    parser.add_argument(
        "--model",
        metavar="DIR|FILE.gguf",
        help="make a project for this Hugging Face folder or GGUF file; in a workspace, add it there",
    )
    parser.add_argument(
        "--nightly", action="store_true", help="write a nightly.yaml for the projects there are"
    )
    parser.add_argument("--name", help="with --model: the project's name (default: the model's)")
    parser.add_argument("--verbose", "-v", action="store_true", help="tell more")


def execute(options: argparse.Namespace) -> int:
    """Write what is not there; refuse to change what is."""
    root = Path(options.folder)
    if options.nightly:
        return _nightly(root)
    if options.model is not None:
        return _of_model(root, Path(options.model), options.name)
    if options.name is not None:
        raise StbuildError("--name is the name of a project for --model", hint="give --model too")
    if is_workspace(root):
        raise StbuildError(f"{root.absolute()} is a workspace already")
    package = root / "hello"
    if package.exists():
        raise StbuildError(f"{package} is there already", hint="init makes a package of this name")
    package.mkdir(parents=True)
    _make_workspace(root)
    (package / "BUILD.yaml").write_text(_BUILD)
    (package / "name.txt").write_text("world\n")
    print(f"made {root / 'pyproject.toml'}, {package}/BUILD.yaml; now: stbuild hello, stbuild test //...")
    return 0


def _nightly(root: Path) -> int:
    """A nightly.yaml with every llm_accelerator of the workspace, and its results out of git's sight."""
    workspace = find_workspace(root.absolute())
    path = workspace.root / FILE
    if path.exists():
        raise StbuildError(f"{path} is there already", hint="remove it, or edit it")
    analysis = Analysis(workspace=workspace, configuration=default_configuration(workspace, None, None))
    known = analysis.packages.known()
    projects = [name for name in known if BUNDLE in analysis.packages.calls(name)]
    if not projects:
        hint = "`stbuild init --model` makes one"
        raise StbuildError(f"no package of {workspace.root} has an llm_accelerator", hint=hint)
    path.write_text(example_plan(projects, workspace.platform))
    ignore = workspace.root / ".gitignore"
    text = ignore.read_text() if ignore.exists() else ""
    if f"{Plan.results}/" not in text.split():
        ignore.write_text(f"{text}{Plan.results}/\n")
    print(f"made {path}; now: stbuild nightly")
    return 0


def is_workspace(root: Path) -> bool:
    """Whether the folder itself is a workspace."""
    project = root / "pyproject.toml"
    return project.exists() and "[tool.stbuild]" in project.read_text()


def _of_model(root: Path, model: Path, name: str | None) -> int:
    """A project for a model, in the workspace around `root`, or in a new one."""
    if name is not None and (problem := "is empty" if not name else path_problem(name)):
        raise StbuildError(f"--name {name!r} {problem}", hint="use letters, digits and _")
    project = make_project(model, name=name)
    folder = root / project.name
    write_project(project, folder)
    made = [str(folder)]
    try:
        workspace = find_workspace(root.absolute()).root
    except StbuildError:
        _make_workspace(root)
        workspace, made = root.absolute(), [str(root / "pyproject.toml"), *made]
    label = os.path.relpath(folder.absolute(), workspace)
    change = "" if workspace == Path.cwd() else f"cd {os.path.relpath(workspace)} && "
    print(f"made {' and '.join(made)}; now: {change}stbuild {label}")
    if not project.weights:
        print(f"{model} has no weights: the project uses synthetic ones, until you give it --weights PATH")
    return 0


def _make_workspace(root: Path) -> None:
    project, ignore = root / "pyproject.toml", root / ".gitignore"
    text = project.read_text() if project.exists() else ""
    project.write_text(f"{text}\n{_WORKSPACE}" if text else _WORKSPACE)
    if not ignore.exists():
        ignore.write_text(_IGNORE)
