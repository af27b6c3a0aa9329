"""The declaration of a rule's attributes: from annotations to checks and conversions."""

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from stbuild.engine.graph.artifact import File, Tree
from stbuild.engine.graph.label import Label


class Resolver(Protocol):
    """What turns the texts of a BUILD.yaml into files, labels and providers."""

    def files(self, text: str) -> list[File]:
        """The files that a path or a label stands for."""

    def provider(self, text: str) -> object:
        """The provider of the target that a label names."""

    def label(self, text: str) -> Label:
        """The label that a text names."""


class Mismatch(Exception):
    """A value that an attribute does not take; its text is a part of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One declared attribute."""

    name: str
    hint: Any
    default: Any
    required: bool
    refers: bool
    """Whether its values may name targets or files."""


def attributes_of(kind: Any) -> dict[str, Attribute]:
    """The attributes that a dataclass declares, by name."""
    return _declared(kind)


@functools.cache
def _declared(kind: Any) -> dict[str, Attribute]:
    hints = typing.get_type_hints(kind)
    found = {}
    for item in dataclasses.fields(kind):
        missing = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        default = item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
        found[item.name] = Attribute(
            name=item.name,
            hint=hints[item.name],
            default=None if missing else default,
            required=missing,
            refers=_refers(hints[item.name]),
        )
    return found


def _refers(hint: Any) -> bool:
    named = is_provider(hint) or (isinstance(hint, type) and issubclass(hint, File))
    return named or any(map(_refers, typing.get_args(hint)))


@functools.lru_cache(maxsize=4096)
def is_provider(hint: Any) -> bool:
    """Whether an annotation asks for a target that gives this provider."""
    return isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint.__name__.endswith("Info")


def references(hint: Any, value: Any) -> Iterator[tuple[str, bool]]:
    """The texts of `value` that name targets or files, each with whether it must be a target."""
    if value is None:
        return
    if is_provider(hint):
        if isinstance(value, str):
            yield value, True
        return
    if isinstance(hint, type) and issubclass(hint, File):
        if isinstance(value, str):
            yield value, False
        return
    arms = typing.get_args(hint)
    if _is_union(hint):
        yield from _union_references(arms, value)
    elif isinstance(value, list) and arms:
        for each in value:
            yield from references(arms[0], each)
    elif isinstance(value, dict) and len(arms) == 2:
        for each in value.values():
            yield from references(arms[1], each)
    elif arms and isinstance(value, str):
        yield from references(arms[0], value)


def convert(hint: Any, value: Any, resolver: Resolver) -> Any:
    """The value of an attribute annotated `hint` for what BUILD.yaml says; raises Mismatch."""
    if hint is Any or (hint is str and isinstance(value, str)):
        return value
    if hint is None or hint is type(None):
        return _plain(type(None), value)
    if _is_union(hint):
        return _convert_union(hint, value, resolver)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _convert_tuple(hint, value, resolver)
    if origin is dict:
        return _convert_dict(hint, value, resolver)
    if origin is typing.Literal:
        return _choice(value, typing.get_args(hint))
    if is_provider(hint):
        return _convert_provider(hint, value, resolver)
    if not isinstance(hint, type):
        raise TypeError(f"annotation {hint!r} is not one that an attribute may have")
    return _convert_simple(hint, value, resolver)


def shown(hint: Any) -> str:
    """An annotation in words, for a message."""
    if hint is type(None):
        return "nothing"
    if _is_union(hint):
        return " or ".join(shown(arm) for arm in typing.get_args(hint) if arm is not type(None))
    origin = typing.get_origin(hint)
    if origin is tuple:
        return f"a list of {shown(typing.get_args(hint)[0])}"
    if origin is dict:
        return f"a map to {shown(typing.get_args(hint)[1])}"
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if hint is Label or is_provider(hint):
        return "a label"
    if isinstance(hint, type) and issubclass(hint, File):
        return "a file or label"
    words = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}
    return words.get(hint, getattr(hint, "__name__", str(hint)))


def _convert_simple(hint: type, value: Any, resolver: Resolver) -> Any:
    if issubclass(hint, File):
        return _one_file(hint, value, resolver)
    if hint is Label:
        return resolver.label(_plain(str, value))
    if issubclass(hint, enum.Enum):
        members = {str(member.value): member for member in hint}
        return members[str(_choice(str(value), tuple(members)))]
    return _plain(hint, value)


def _one_file(hint: type, value: Any, resolver: Resolver) -> File:
    files = resolver.files(_plain(str, value))
    if len(files) != 1:
        names = ", ".join(file.name for file in files[:5]) or "none"
        raise Mismatch(f"takes one file, {value} stands for {len(files)} ({names})")
    if hint is Tree and not isinstance(files[0], Tree):
        raise Mismatch(f"takes a directory, {value} is a file")
    return files[0]


def _convert_provider(hint: type, value: Any, resolver: Resolver) -> object:
    provider = resolver.provider(_plain(str, value))
    if not isinstance(provider, hint):
        raise Mismatch(f"{value} gives {type(provider).__name__}, needs {hint.__name__}")
    return provider


def _convert_tuple(hint: Any, value: Any, resolver: Resolver) -> tuple[Any, ...]:
    arm = typing.get_args(hint)[0]
    if isinstance(arm, type) and issubclass(arm, File):
        texts = [value] if isinstance(value, str) else _plain(list, value)
        return tuple(dict.fromkeys(file for text in texts for file in resolver.files(_plain(str, text))))
    if isinstance(value, str) and is_provider(arm):
        value = [value]
    return tuple(convert(arm, each, resolver) for each in _plain(list, value))


def _convert_dict(hint: Any, value: Any, resolver: Resolver) -> dict[str, Any]:
    arm = typing.get_args(hint)[1]
    found = {}
    for key, each in _plain(dict, value).items():
        try:
            found[str(key)] = convert(arm, each, resolver)
        except Mismatch as problem:
            raise Mismatch(f"at {key!r} {problem}") from None
    return found


def _convert_union(hint: Any, value: Any, resolver: Resolver) -> Any:
    arms = [arm for arm in typing.get_args(hint) if arm is not type(None)]
    if value is None and type(None) in typing.get_args(hint):
        return None
    problems = []
    for arm in arms:
        try:
            return convert(arm, value, resolver)
        except Mismatch as problem:
            problems.append(problem)
    if len(problems) == 1:
        raise problems[0]
    raise Mismatch(f"takes {shown(hint)}, got {value!r}")


def _choice(value: Any, choices: tuple[Any, ...]) -> Any:
    if value in choices:
        return value
    raise Mismatch(f"takes one of {', '.join(map(str, choices))}, got {value!r}")


def _plain(kind: type, value: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    quote = "; quote it" if kind is str and isinstance(value, bool | int | float) else ""
    if isinstance(value, bool) and kind is not bool:
        raise Mismatch(f"takes {shown(kind)}, got {str(value).lower()}{quote}")
    if isinstance(value, kind):
        return value
    words = {list: "a list", dict: "a map", type(None): "nothing"}
    raise Mismatch(f"takes {words.get(kind) or shown(kind)}, got {value!r}{quote}")


def _union_references(arms: tuple[Any, ...], value: Any) -> Iterator[tuple[str, bool]]:
    for arm in arms:
        found = list(references(arm, value))
        if found:
            yield from found
            return


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
