"""Labels (`//package:name`) and the patterns that stand for several of them."""

import re
from functools import lru_cache

from msgspec import Struct

from stbuild.engine.graph.names import path_problem, shortened_path
from stbuild.errors import StbuildError

_LETTERS = re.compile(r"[A-Za-z0-9_.+\-@~/]*/[A-Za-z0-9_.+\-/=@~]+")
_ALLOWED = "labels look like //package:name, :name or //folder/..., in ASCII letters, digits and _.+-@~"


class Label(Struct, frozen=True, kw_only=True, order=True):
    """The name of one target: its package is a folder relative to the workspace, '' for the root."""

    package: str
    name: str

    def __str__(self) -> str:
        return f"//{self.package}:{self.name}"


class Pattern(Struct, frozen=True, kw_only=True):
    """Labels as the user names them: one target, `:all` of a package, or `...` below a folder."""

    package: str
    name: str | None = None
    recursive: bool = False

    @property
    def label(self) -> Label:
        """The one label that this pattern is; only for a pattern with a name."""
        if self.name is None:
            raise ValueError(f"{self} stands for several targets")
        return Label(package=self.package, name=self.name)

    def __str__(self) -> str:
        if self.recursive:
            return f"//{self.package}/..." if self.package else "//..."
        return f"//{self.package}:{self.name or 'all'}"


def is_label(text: str) -> bool:
    """Whether `text` can only mean a label, never a file's path."""
    return text.startswith(("//", ":"))


def parse_label(text: str, *, package: str, where: str | None = None) -> Label:
    """The label that `text` names inside `package`: `//a/b:c`, `//a/b`, `:c` or `c`."""
    label = _parsed(text, package)
    if label is None:
        raise _no_label(text, *_split(text, package), where)
    return label


@lru_cache(maxsize=1 << 16)
def _parsed(text: str, package: str) -> Label | None:
    folder, name = _split(text, package)
    return None if _problem(folder, name) else Label(package=folder, name=name)


def parse_pattern(text: str, *, package: str) -> Pattern:
    """The pattern that `text` names on a command line inside `package`."""
    body = text if text.startswith(("//", ":")) else f"//{text}"
    if body.endswith("...") and body[:-3].endswith("/"):
        folder = body[2:-3].strip("/")
        _check(text, folder, "all")
        return Pattern(package=folder, recursive=True)
    folder, name = _split(body, package)
    if name in ("all", "*"):
        _check(text, folder, "all")
        return Pattern(package=folder)
    _check(text, folder, name)
    return Pattern(package=folder, name=name)


def default_name(package: str) -> str:
    """The target that a folder's own name means."""
    return package.rpartition("/")[2]


def _split(text: str, package: str) -> tuple[str, str]:
    if not text.startswith("//"):
        return package, text.removeprefix(":")
    folder, colon, name = text[2:].partition(":")
    folder = folder.rstrip("/")
    return folder, name if colon else default_name(folder)


def _check(text: str, folder: str, name: str) -> None:
    if _problem(folder, name):
        raise _no_label(text, folder, name, None)


def _problem(folder: str, name: str) -> str:
    """Why a package and a name are no label, as the end of a sentence; '' when they are."""
    problem = path_problem(folder) if folder else ""
    if problem:
        return f"its package {problem}"
    problem = path_problem(name)
    if problem:
        return f"its name {problem}"
    return "" if _LETTERS.fullmatch(f"{folder}/{name}") else _ALLOWED


def _no_label(text: str, folder: str, name: str, where: str | None) -> StbuildError:
    problem, shown = _problem(folder, name), shortened_path(text)
    if problem == _ALLOWED:
        return StbuildError(f"{shown} is not a label", where=where, hint=problem)
    return StbuildError(f"{shown} is not a label: {problem}", where=where)
