"""From the arguments of a command, files among them, to its text and to the files that it reads and makes."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from msgspec import Struct

from stbuild.engine.graph.artifact import File, Folder, Origin

Argument = str | int | float | File | Folder | tuple[Any, ...]
"""One argument of a command; a tuple is joined without a space: `("-I", folder)`."""


class Rendered(Struct, frozen=True, kw_only=True):
    """A command inside its action's folder, its inputs and its outputs."""

    command: tuple[str, ...]
    read: tuple[File, ...]
    written: tuple[File, ...]


def render(
    argv: Sequence[Argument],
    free: Container[str],
    inputs: Sequence[File],
    mentioned: Mapping[str, Sequence[File]],
) -> Rendered:
    """Files with a path in `free` are outputs; `mentioned` gives the files that an input names."""
    read: dict[File, None] = {}
    written: dict[File, None] = {}
    command = tuple(_text(item, free, read, written) for item in argv)
    read.update(dict.fromkeys(inputs))
    for file in list(read):
        read.update(dict.fromkeys(mentioned.get(file.path, ())))
    return Rendered(command=command, read=tuple(read), written=tuple(written))


def _text(item: Argument, free: Container[str], read: dict[File, None], written: dict[File, None]) -> str:
    match item:
        case tuple():
            return "".join(_text(part, free, read, written) for part in item)
        case File() if item.origin is Origin.OUTPUT and item.path in free:
            written[item] = None
            return item.made
        case File():
            read[item] = None
            return item.staged
        case Folder():
            return item.staged
    return str(item)
