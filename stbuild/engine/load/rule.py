"""Rules and macros: the values that the decorators of a rule file make."""

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from stbuild.engine.load.context import Context

A = TypeVar("A")
P = TypeVar("P")
Entry = dict[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Rule(Generic[A, P]):
    """A typed function from attributes to a provider; its annotations are its declaration."""

    name: str
    attrs: type[A]
    provider: type[P]
    function: Callable[[Context[A]], P]
    doc: str = ""


@dataclass(frozen=True, kw_only=True)
class Macro(Generic[A]):
    """A typed function from a name and attributes to the entries of a BUILD.yaml."""

    name: str
    attrs: type[A]
    function: Callable[[str, A], Sequence[Entry]]
    default: str | None = None
    doc: str = ""


def rule(function: Callable[[Context[A]], P]) -> Rule[A, P]:
    """Declare the rule that is named like `function`: its one parameter is `ctx: Context[Attributes]`."""
    hints = typing.get_type_hints(function)
    provider = hints.pop("return", None)
    contexts = [hint for hint in hints.values() if typing.get_origin(hint) is Context]
    if len(contexts) != 1 or not isinstance(provider, type):
        raise TypeError(f"rule {function.__name__} needs the form (ctx: Context[Attributes]) -> SomeInfo")
    return Rule(
        name=function.__name__,
        attrs=_attributes(function.__name__, typing.get_args(contexts[0])[0]),
        provider=provider,
        function=function,
        doc=function.__doc__ or "",
    )


def macro(*, default: str | None = None) -> Callable[[Callable[[str, A], Sequence[Entry]]], Macro[A]]:
    """Declare the macro that is named like the function `(name: str, attrs: Attributes) -> list[Entry]`.

    `default` is the target, among those that the macro makes, that the macro's own name stands for.
    """

    def declare(function: Callable[[str, A], Sequence[Entry]]) -> Macro[A]:
        hints = typing.get_type_hints(function)
        attrs = _attributes(function.__name__, hints.get("attrs"))
        doc = function.__doc__ or ""
        return Macro(name=function.__name__, attrs=attrs, function=function, default=default, doc=doc)

    return declare


def default_files(provider: object) -> list[Any]:
    """The files that a label stands for: its provider's `files`, else every file among its fields."""
    if not dataclasses.is_dataclass(provider):
        return []
    files = getattr(provider, "files", None)
    if files is not None:
        return list(files)
    found: list[Any] = []
    for item in dataclasses.fields(provider):
        _gather(getattr(provider, item.name), found)
    return found


def _gather(value: object, found: list[Any]) -> None:
    from stbuild.engine.graph.artifact import File

    if isinstance(value, File):
        found.append(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            _gather(each, found)
    elif isinstance(value, tuple | list):
        for each in value:
            _gather(each, found)


def _attributes(name: str, kind: Any) -> Any:
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        raise TypeError(f"{name}: attributes are a frozen dataclass, got {kind!r}")
    return kind
