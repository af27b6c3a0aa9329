"""Any value of `ir` as canonical JSON, and back."""

import json
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
TAG = "class"
"""Never the name of a field, since Python reserves it."""


def to_data(value: object) -> Any:
    """`value` as dicts, lists and scalars; a dataclass carries its class name under `TAG`."""
    if is_dataclass(value) and not isinstance(value, type):
        stored = (f for f in fields(value) if f.metadata.get("stored", True))
        data = {f.name: to_data(getattr(value, f.name)) for f in stored}
        return {TAG: type(value).__name__, **data}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(k): to_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_data(v) for v in value]
    return value


def from_data(kind: Any, data: Any) -> Any:
    """The inverse of `to_data` for an annotation `kind`; raises ValueError when `data` does not fit."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _from_union(get_args(kind), data)
    if origin is tuple:
        item = get_args(kind)[0]
        return tuple(from_data(item, d) for d in data)
    if origin is dict:
        return {k: from_data(get_args(kind)[1], v) for k, v in data.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return _from_dict(kind, data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    return data


def write(path: Path, value: object) -> None:
    """Write `value` to `path` as indented JSON with a final newline."""
    path.write_text(json.dumps(to_data(value), indent=1) + "\n")


def read(kind: type[T], path: Path) -> T:
    """Read a `kind` from the JSON file at `path`."""
    value: T = from_data(kind, json.loads(path.read_text()))
    return value


def _from_union(kinds: tuple[Any, ...], data: Any) -> Any:
    if data is None and NoneType in kinds:
        return None
    known = [k for k in kinds if k is not NoneType]
    if isinstance(data, dict) and TAG in data:
        for kind in known:
            if getattr(kind, "__name__", "") == data[TAG]:
                return from_data(kind, data)
        raise ValueError(f"{data[TAG]!r} is none of {[k.__name__ for k in known]}")
    return from_data(known[0], data)


def _from_dict(kind: type[Any], data: Any) -> Any:
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    extra = set(data) - known - {TAG}
    if extra:
        raise ValueError(f"{kind.__name__} has no field {sorted(extra)[0]!r}")
    return kind(**{k: from_data(hints[k], v) for k, v in data.items() if k != TAG})
