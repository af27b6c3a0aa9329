"""Canonical JSON: one text for one value, so that it can be an input and a part of a key."""

import dataclasses
import enum
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from stbuild.engine.graph.artifact import File, Folder


def canonical_json(value: object) -> str:
    """Sorted, compact JSON; dataclasses and structs become maps, enums their values, files their path."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def plain(value: object) -> Any:
    """`value` in the terms of JSON; a type that has no one text is a TypeError."""
    match value:
        case enum.Enum():
            return plain(value.value)
        case None | bool() | int() | float() | str():
            return value
        case File() | Folder():
            return value.staged
        case PurePath():
            return value.as_posix()
        case Mapping():
            return {str(plain(key)): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case set() | frozenset():
            return sorted((plain(each) for each in value), key=str)
    if isinstance(value, Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


def files_within(value: object) -> list[File]:
    """Every file inside a nested value, in the order in which it stands."""
    match value:
        case File():
            return [value]
        case Mapping():
            return [file for each in value.values() for file in files_within(each)]
        case list() | tuple() | set() | frozenset():
            return [file for each in value for file in files_within(each)]
    return []
