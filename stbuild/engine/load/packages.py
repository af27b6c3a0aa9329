"""The packages of a workspace: their BUILD.yaml with macros expanded, and their source files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakMethod

from msgspec import structs

from stbuild import layout
from stbuild.engine.graph.glob import matches
from stbuild.engine.graph.label import Label, Pattern
from stbuild.engine.keys.tracker import Tracker
from stbuild.engine.load.buildfile import TargetCall, calls_of, read_build_file
from stbuild.engine.load.plugins import PluginIndex
from stbuild.engine.load.rule import Macro
from stbuild.errors import StbuildError, did_you_mean

ALIAS = "alias"
SKIPPED = frozenset({layout.OUT_DIR, "__pycache__", "node_modules", "_builtin"})
Expand = Callable[[TargetCall, Macro[Any]], list[dict[str, dict[str, Any]]]]


class Packages:
    """Reads packages when they are first asked for."""

    def __init__(self, root: Path, index: PluginIndex, tracker: Tracker, expand: Expand) -> None:
        self.root = root
        self._index = index
        self._tracker = tracker
        self._expand = WeakMethod(expand)
        self._exists: dict[str, bool] = {}
        self._calls: dict[str, dict[str, TargetCall]] = {}
        self.macro_calls: dict[Label, TargetCall] = {}

    def exists(self, package: str) -> bool:
        """Whether the folder has a BUILD.yaml."""
        if package not in self._exists:
            path = self.root / package / layout.BUILD_FILE
            self._tracker.saw(path)
            self._exists[package] = path.is_file()
        return self._exists[package]

    def calls(self, package: str) -> dict[str, TargetCall]:
        """The calls of a package by name, in order, after macros."""
        if package not in self._calls:
            self._calls[package] = self._read(package)
        return self._calls[package]

    def call(self, label: Label, where: str | None = None) -> TargetCall:
        """The call that a label names."""
        if not self.exists(label.package):
            raise self._no_package(label, where)
        calls = self.calls(label.package)
        if label.name not in calls:
            hint = did_you_mean(label.name, calls)
            raise StbuildError(f"no target {label.name!r} in //{label.package}", where=where, hint=hint)
        return calls[label.name]

    def _no_package(self, label: Label, where: str | None) -> StbuildError:
        known = self.known()
        below = any(each.startswith(f"{label.package}/") for each in known)
        hint = f"//{label.package}/... are the packages below it" if below else ""
        hint = hint or did_you_mean(label.package or label.name, known)
        if not known:
            hint = "`stbuild init` makes one"
        if label.package or where is not None:
            return StbuildError(f"no package //{label.package} (for {label})", where=where, hint=hint)
        hint += "; `stbuild --help` lists the commands"
        return StbuildError(f"{label.name!r} is neither a command nor a package", hint=hint)

    def match(self, pattern: Pattern) -> list[Label]:
        """The labels that a pattern stands for."""
        if pattern.name is not None:
            return [self.call(pattern.label).label]
        packages = list(self.below(pattern.package)) if pattern.recursive else [pattern.package]
        if not packages:
            raise StbuildError(f"{pattern} matches nothing", hint=f"no {layout.BUILD_FILE} below the folder")
        return [call.label for package in packages for call in self.calls(package).values()]

    def below(self, folder: str) -> Iterator[str]:
        """The packages at and below a folder, sorted."""
        top = self.root / folder
        for place, folders, files in os.walk(top, onerror=_tell):
            self._tracker.saw(place)
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
            if layout.BUILD_FILE in files:
                yield Path(place).relative_to(self.root).as_posix().removeprefix(".")

    def known(self) -> list[str]:
        """Every package of the workspace, for a hint."""
        return list(self.below(""))

    def glob(self, package: str, include: list[str], exclude: list[str]) -> list[str]:
        """The package's source files that match, sorted; folders with their own BUILD.yaml are others'."""
        top = self.root / package
        found = []
        for place, folders, files in os.walk(top):
            self._tracker.saw(place)
            inner = Path(place)
            folders[:] = sorted(name for name in folders if self._belongs(inner / name))
            relative = inner.relative_to(top).as_posix().removeprefix(".")
            for name in files:
                path = f"{relative}/{name}" if relative else name
                if matches(path, include) and not matches(path, exclude):
                    found.append(path)
        return sorted(path for path in found if path != layout.BUILD_FILE)

    def _belongs(self, folder: Path) -> bool:
        if folder.name.startswith(".") or folder.name in SKIPPED:
            return False
        build_file = folder / layout.BUILD_FILE
        if not build_file.is_file():
            return True
        self._tracker.saw(build_file)
        return False

    def _read(self, package: str) -> dict[str, TargetCall]:
        self._tracker.saw(self.root / package / layout.BUILD_FILE)
        found: dict[str, TargetCall] = {}
        for call in read_build_file(self.root, package):
            for made in self._expanded(call):
                twin = found.setdefault(made.label.name, made)
                if twin is not made:
                    raise StbuildError(f"{made.label} is already defined at {twin.where}", where=made.where)
        return found

    def _expanded(self, call: TargetCall) -> list[TargetCall]:
        if call.rule == ALIAS:
            return [_checked_alias(call)]
        definition = self._index.rule(call.rule, call.where)
        if not isinstance(definition, Macro):
            return [call]
        self.macro_calls[call.label] = call
        expand = self._expand()
        assert expand is not None
        made = calls_of(expand(call, definition), call)
        if definition.default and all(each.label != call.label for each in made):
            made.append(structs.replace(call, rule=ALIAS, attrs={"actual": f":{definition.default}"}))
        return made


def _checked_alias(call: TargetCall) -> TargetCall:
    for name in call.attrs:
        if name != "actual":
            hint = did_you_mean(name, ["actual"])
            raise StbuildError(f"alias has no attribute {name!r}", where=call.place(name), hint=hint)
    if not isinstance(call.attrs.get("actual"), str):
        message = f"alias {call.label.name!r} needs the attribute 'actual', a label"
        raise StbuildError(message, where=call.place("actual"))
    return call


def _tell(error: OSError) -> None:
    raise error
