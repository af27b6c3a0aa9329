"""Frozen dataclasses as JSON files, checked against their annotations with a sentence per mistake."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from stbuild.errors import StbuildError

T = TypeVar("T")


class _Misfit(Exception):
    """Data that does not fit its annotation, on the way to becoming a StbuildError."""


def to_json(value: object) -> str:
    """`value`, a dataclass, as indented JSON with a final newline; fields in the order of the class."""
    return json.dumps(_plain(value), indent=1, ensure_ascii=False) + "\n"


def from_json(kind: type[T], text: str, where: str) -> T:
    """The inverse of `to_json`; text that is no JSON or does not fit `kind` is a StbuildError."""
    try:
        data = json.loads(text)
    except RecursionError as error:
        raise StbuildError("this JSON is nested too deeply", where=where) from error
    except ValueError as error:
        raise StbuildError(f"this is not JSON: {error}", where=where) from error
    try:
        value: T = _typed(kind, data, "")
    except (_Misfit, ValueError) as error:
        raise StbuildError(str(error), where=where, hint="build the bundle again") from error
    return value


def read(kind: type[T], path: Path) -> T:
    """A `kind` from the JSON file at `path`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise StbuildError(f"the file cannot be read: {reason}", where=str(path)) from error
    return from_json(kind, text, str(path))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _typed(kind: Any, data: Any, at: str) -> Any:
    origin = get_origin(kind)
    if origin is UnionType:
        return _union(get_args(kind), data, at)
    if origin is tuple:
        return _items(get_args(kind), data, at)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice(kind, data, at)
    if is_dataclass(kind) and isinstance(kind, type):
        return _record(kind, data, at)
    number = isinstance(data, int | float) and not isinstance(data, bool)
    fits = number if kind is float else type(data) is kind
    if not fits:
        raise _Misfit(f"{at or 'the file'} is {json.dumps(data)[:40]}, not {_name(kind)}")
    return data


def _items(kinds: tuple[Any, ...], data: Any, at: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise _Misfit(f"{at} is not a list")
    return tuple(_typed(kinds[0], item, f"{at}[{index}]") for index, item in enumerate(data))


def _union(kinds: tuple[Any, ...], data: Any, at: str) -> Any:
    """None, or the alternative that fits: dataclasses are told apart by their fields."""
    if data is None and NoneType in kinds:
        return None
    known = [kind for kind in kinds if kind is not NoneType]
    if isinstance(data, dict):
        known = [k for k in known if is_dataclass(k) and {f.name for f in fields(k)} == set(data)] or known[
            :1
        ]
    return _typed(known[0], data, at)


def _choice(kind: type[Enum], data: Any, at: str) -> Enum:
    try:
        return kind(data)
    except ValueError:
        names = ", ".join(repr(each.value) for each in kind)
        raise _Misfit(f"{at} is {json.dumps(data)[:40]}, not one of {names}") from None


def _record(kind: type[Any], data: Any, at: str) -> Any:
    if not isinstance(data, Mapping):
        raise _Misfit(f"{at or 'the file'} is not a map")
    prefix = f"{at}." if at else ""
    hints = get_type_hints(kind)
    for name in data:
        if name not in hints:
            raise _Misfit(f"{prefix}{name} is not known")
    for field in fields(kind):
        if field.name not in data and field.default is MISSING:
            raise _Misfit(f"{prefix}{field.name} is missing")
    return kind(**{name: _typed(hints[name], each, f"{prefix}{name}") for name, each in data.items()})


def _name(kind: Any) -> str:
    return {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(
        kind, str(kind)
    )
