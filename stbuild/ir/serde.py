"""Any value of `ir` as canonical JSON, and back."""

import json
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Classes = tuple[type[Any], ...]
TAG = "class"
"""Never the name of a field, since Python reserves it."""
STORED_IF_SET = {"stored": "if set"}
"""Metadata of a field that stays out of files while it has its default."""


def to_data(value: object) -> Any:
    """`value` as dicts, lists and scalars; a dataclass carries its class name under `TAG`."""
    if is_dataclass(value) and not isinstance(value, type):
        stored = (f for f in fields(value) if _is_stored(f, getattr(value, f.name)))
        data = {f.name: to_data(getattr(value, f.name)) for f in stored}
        return {TAG: type(value).__name__, **data}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): to_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_data(v) for v in value]
    return value


def from_data(kind: Any, data: Any, classes: Classes = ()) -> Any:
    """The inverse of `to_data` for an annotation `kind`; raises ValueError when `data` does not fit.

    `classes` are those that may stand where an annotation names a class of which they are subclasses.
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _from_union(get_args(kind), data, classes)
    if origin is tuple:
        item = get_args(kind)[0]
        return tuple(from_data(item, d, classes) for d in data)
    if origin is dict:
        return {k: from_data(get_args(kind)[1], v, classes) for k, v in data.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return _from_dict(_class_of(data, (kind,), classes), data, classes)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return data


def write(path: Path, value: object) -> None:
    """Write `value` to `path` as indented JSON with a final newline."""
    path.write_text(json.dumps(to_data(value), indent=1) + "\n")


def read(kind: type[T], path: Path, classes: Classes = ()) -> T:
    """Read a `kind` from the JSON file at `path`."""
    value: T = from_data(kind, json.loads(path.read_text()), classes)
    return value


def _is_stored(field: Field[Any], value: object) -> bool:
    how = field.metadata.get("stored", True)
    return value != field.default if how == "if set" else bool(how)


def _from_union(kinds: tuple[Any, ...], data: Any, classes: Classes) -> Any:
    if data is None and NoneType in kinds:
        return None
    known = tuple(k for k in kinds if k is not NoneType)
    if isinstance(data, dict) and TAG in data:
        return _from_dict(_class_of(data, known, classes), data, classes)
    return from_data(known[0], data, classes)


def _class_of(data: Any, kinds: tuple[Any, ...], classes: Classes) -> type[Any]:
    """The class that `data` names: one of `kinds`, or one of `classes` below them."""
    below = (c for c in classes if any(isinstance(k, type) and issubclass(c, k) for k in kinds))
    named = {getattr(k, "__name__", ""): k for k in (*kinds, *below)}
    tag = data.get(TAG, kinds[0].__name__)
    if tag not in named:
        raise ValueError(f"{tag!r} is none of {list(named)}")
    found: type[Any] = named[tag]
    return found


def _from_dict(kind: type[Any], data: Any, classes: Classes) -> Any:
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    extra = set(data) - known - {TAG}
    if extra:
        raise ValueError(f"{kind.__name__} has no field {sorted(extra)[0]!r}")
    return kind(**{k: from_data(hints[k], v, classes) for k, v in data.items() if k != TAG})
