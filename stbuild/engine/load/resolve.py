"""From the texts of a BUILD.yaml to files, labels and providers."""

import os
import posixpath
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from stbuild import layout
from stbuild.engine.graph.artifact import File, Folder, Origin, Tree
from stbuild.engine.graph.label import Label, is_label, parse_label
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.buildfile import TargetCall
from stbuild.engine.load.configured import Configuration
from stbuild.engine.load.packages import Packages
from stbuild.engine.load.rule import default_files
from stbuild.engine.load.workspace import Workspace
from stbuild.errors import StbuildError, did_you_mean

_SPELT = re.compile(r"//|/\Z|(?:\A|/)\.(?:/|\Z)")


class FileResolver:
    """Tells source files, targets and the outputs of targets apart."""

    def __init__(self, root: Path, packages: Packages, tracker: Tracker) -> None:
        self._root = root
        self._packages = packages
        self._tracker = tracker
        self._outs: dict[str, dict[str, Label]] = {}
        self._needed: dict[tuple[str, str], Label | None] = {}

    def label(self, call: TargetCall, text: str) -> Label:
        """The label that `text` names in the package of `call`."""
        return parse_label(text, package=call.label.package, where=call.where)

    def dependency(self, call: TargetCall, text: str, must: bool) -> Label | None:
        """The target that `text` needs analysed, or None for a source file."""
        if must:
            return self.label(call, text)
        known = (call.label.package, text)
        if known not in self._needed:
            self._needed[known] = self._find(call, text)
        return self._needed[known]

    def _find(self, call: TargetCall, text: str) -> Label | None:
        if not is_label(text) and (text.startswith("/") or self.source(call.label.package, text)):
            return None
        if text.startswith("../"):
            raise self.missing(call, text)
        label = self.label(call, text)
        if not self._packages.exists(label.package):
            return None if self._is_source(label) else self._packages.call(label, call.where).label
        if label.name in self._packages.calls(label.package):
            return label
        return self._outputs(label.package).get(label.name)

    def source(self, package: str, path: str) -> File | None:
        """The source file or directory at `path` of a package, if it exists."""
        logical = _joined(package, path)
        real = f"{self._root}/{logical}"
        kind = _kind(real)
        if kind is None or not path or ".." in path.split("/") or _is_built(logical):
            self._tracker.saw(real)
            return None
        return (Tree if kind == "tree" else File)(path=logical, origin=Origin.SOURCE)

    def missing(self, call: TargetCall, text: str) -> StbuildError:
        """The sentence for a text that is neither a file nor a target."""
        elsewhere = os.path.normpath(f"{call.label.package}/{text}")
        if text.startswith("../") and (self._root / elsewhere).exists():
            package, _, name = elsewhere.rpartition("/")
            hint = f"a file outside of the package is a label, perhaps //{package}:{name}"
            return StbuildError(f"{text!r} leaves the package", where=call.where, hint=hint)
        if text.removeprefix("//").lstrip(":").startswith(f"{layout.OUT_DIR}/"):
            hint = "write the label of the target that makes it"
            return StbuildError(f"{text!r} was made by a build", where=call.where, hint=hint)
        label = self.label(call, text)
        names = [*self._packages.calls(label.package), *self._outputs(label.package)]
        folder = self._root / label.package
        names += sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        hint = did_you_mean(label.name, names)
        return StbuildError(f"{text!r} is neither a file nor a target", where=call.where, hint=hint)

    def _is_source(self, label: Label) -> bool:
        return self.source(label.package, label.name) is not None

    def _outputs(self, package: str) -> dict[str, Label]:
        if package not in self._outs:
            found = {}
            for call in self._packages.calls(package).values():
                outs = call.attrs.get("outs")
                for name in outs if isinstance(outs, list) else []:
                    found[str(name)] = call.label
            self._outs[package] = found
        return self._outs[package]


class Analyzer(Protocol):
    """What the resolver of a call asks of analysis."""

    workspace: Workspace
    configuration: Configuration
    files: FileResolver

    tracker: Tracker

    def platform(self) -> Any:
        """The platform value of this configuration."""

    def toolchain(self, target: str) -> Any:
        """The toolchain of a target, by default of this configuration's."""

    def provider(self, label: Label) -> Any:
        """The provider of an analysed target."""


class CallResolver:
    """The surroundings of one call: what its attributes and its context resolve against."""

    def __init__(self, analysis: Analyzer, call: TargetCall) -> None:
        self._analysis = analysis
        self._call = call

    @property
    def cpu(self) -> str:
        """The chosen processor of the host."""
        return self._analysis.configuration.cpu

    def platform(self) -> Any:
        """The chosen platform."""
        return self._analysis.platform()

    @property
    def vitis(self) -> Mapping[str, Any]:
        """What the workspace sets in `[tool.stbuild.vitis]`."""
        return self._analysis.workspace.vitis

    @property
    def device(self) -> str:
        """What the workspace sets as `device` in `[tool.stbuild]`; '' without."""
        return self._analysis.workspace.device

    def toolchain(self, target: str) -> Any:
        """The toolchain of a target, by default of the chosen one."""
        return self._analysis.toolchain(target)

    def look(self, path: str) -> bool:
        """Whether there is something at an absolute path."""
        self._analysis.tracker.saw(path)
        return os.path.exists(path)

    def place(self, label: Label, attribute: str) -> str | None:
        """The line of an attribute of this call."""
        return self._call.place(attribute) if attribute else self._call.where

    def label(self, text: str) -> Label:
        """The label that `text` names here."""
        return self._analysis.files.label(self._call, text)

    def provider(self, text: str) -> object:
        """The provider of an analysed target."""
        return self._analysis.provider(self.label(text))

    def files(self, text: str) -> list[File]:
        """The files of a path, a label, or one output's name."""
        if text.startswith("/") and not is_label(text):
            return [self.external(text, self._call.where)]
        files = self._analysis.files
        package = self._call.label.package
        if not is_label(text):
            source = files.source(package, text)
            if source is not None:
                return [source]
        label = files.dependency(self._call, text, False)
        if label is None:
            named = self.label(text)
            source = files.source(named.package, named.name)
            if source is None:
                raise files.missing(self._call, text)
            return [source]
        made = default_files(self._analysis.provider(label))
        named = self.label(text)
        return (
            made
            if named == label
            else [file for file in made if file.path.endswith(f"/{named.name}")]
            or [file for file in made if file.path == named.name]
        )

    def source(self, package: str, path: str, where: str) -> File:
        """A source file that exists."""
        file = self._analysis.files.source(package, path)
        if file is None:
            raise StbuildError(f"no file {path!r} in //{package}", where=where)
        return file

    def source_folder(self, package: str, path: str) -> Folder:
        """A folder of the workspace that is searched."""
        logical = posixpath.normpath(f"{package}/{path}")
        return Folder(path=logical, real=str(self._analysis.workspace.root / logical), origin=Origin.SOURCE)

    def builtin(self, path: str) -> Folder:
        """A folder that comes with stbuild."""
        return Folder(path=f"builtin/{path}", real=str(layout.builtin_root() / path))

    def builtin_file(self, path: str) -> File:
        """A file that comes with stbuild."""
        real = layout.builtin_root() / path
        if not real.is_file():
            raise StbuildError(f"this stbuild has no file {path}", hint="the installation is damaged")
        return File(path=f"builtin/{path}", origin=Origin.LIBRARY, real=str(real))

    def external(self, path: str, where: str) -> File:
        """A file or directory outside the workspace."""
        real = self._analysis.workspace.root / Path(path).expanduser()
        kind = _kind(real)
        if kind is None:
            what = "is neither a file nor a directory" if os.path.exists(real) else "does not exist"
            raise StbuildError(f"{real} {what}", where=where)
        made = Tree if kind == "tree" else File
        if real.name in ("", ".."):
            raise StbuildError(f"{path!r} does not end with the name of a file or folder", where=where)
        return made(path=f"external/{real.name}", origin=Origin.EXTERNAL, real=str(real))


def _joined(package: str, path: str) -> str:
    """The path of a package's file from the workspace's root, the same however it is spelt."""
    logical = f"{package}/{path}" if package else path
    return logical if _SPELT.search(logical) is None else posixpath.normpath(logical)


def _is_built(logical: str) -> bool:
    """Whether a path is the folder of everything that was built, lies in it or contains it."""
    return logical.partition("/")[0] == layout.OUT_DIR or logical == "."


def _kind(path: Path | str) -> str | None:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return None
    return "tree" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else None
