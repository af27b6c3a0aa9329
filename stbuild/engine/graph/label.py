"""Labels (`//package:name`) and the patterns that stand for several of them."""

import re
from functools import lru_cache

from msgspec import Struct

from stbuild.errors import StbuildError

_NAME = re.compile(r"[A-Za-z0-9_.+\-][A-Za-z0-9_.+\-/=@~]*\Z")
_PACKAGE = re.compile(r"(?:[A-Za-z0-9_.+\-@~]+(?:/[A-Za-z0-9_.+\-@~]+)*)?\Z")


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
        raise _no_label(text, where)
    return label


@lru_cache(maxsize=1 << 16)
def _parsed(text: str, package: str) -> Label | None:
    folder, name = _split(text, package)
    return Label(package=folder, name=name) if _valid(folder, name) else None


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
    if not _valid(folder, name):
        raise _no_label(text, None)


def _valid(folder: str, name: str) -> bool:
    return bool(_PACKAGE.match(folder) and _NAME.match(name) and ".." not in folder.split("/"))


def _no_label(text: str, where: str | None) -> StbuildError:
    hint = "labels look like //package:name, :name or //folder/..., in ASCII letters, digits and _.+-@~"
    return StbuildError(f"{text!r} is not a label", where=where, hint=hint)
