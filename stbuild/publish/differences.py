"""In what two contents differ, in terms of their format: JSON, text, sections of an xclbin or ELF, bytes."""

import difflib
import json
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from stbuild.errors import StbuildError
from stbuild.package import axlf
from stbuild.publish.printable import printable

_SHOWN = 4
_WIDTH = 160
_ELF = b"\x7fELF\x02\x01"
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_ELF_SECTION = struct.Struct("<IIQQQQIIQQ")


def differences(old: bytes, new: bytes) -> list[str]:
    """Some lines on the first differences; the contents are not equal."""
    found = [printable(line) for line in islice(_differences(old, new), _SHOWN + 1)]
    lines = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in found[:_SHOWN]]
    return [*lines, "…"] if len(found) > _SHOWN else lines


def _differences(old: bytes, new: bytes) -> Iterator[str]:
    if old[:8] == new[:8] == axlf.MAGIC:
        yield from _xclbin(old, new)
        return
    if old[:6] == new[:6] == _ELF:
        yield from _elf(old, new)
        return
    try:
        texts = old.decode(), new.decode()
    except UnicodeDecodeError:
        texts = "\0", ""
    if "\0" in texts[0] + texts[1]:
        yield from _bytes(old, new)
        return
    try:
        values = json.loads(texts[0]), json.loads(texts[1])
    except ValueError:
        yield from _text(*texts)
        return
    yield from _json("", *values) if values[0] != values[1] else _text(*texts)


def _json(at: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            if name not in old or name not in new:
                yield f"{at}/{name} is only in the {'published' if name in old else 'rebuilt'} one"
            elif old[name] != new[name]:
                yield from _json(f"{at}/{name}", old[name], new[name])
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            if one != other:
                yield from _json(f"{at}/{number}", one, other)
    else:
        yield f"{at or '/'}: published {json.dumps(old)[:60]}, rebuilt {json.dumps(new)[:60]}"


def _text(old: str, new: str) -> Iterator[str]:
    for line in difflib.unified_diff(
        old.splitlines(), new.splitlines(), "published", "rebuilt", "", "", 0, ""
    ):
        if not line.startswith(("---", "+++")):
            yield line


def _xclbin(old: bytes, new: bytes) -> Iterator[str]:
    try:
        pair = axlf.decode(old, "published"), axlf.decode(new, "rebuilt")
    except StbuildError:
        yield from _bytes(old, new)
        return
    sections = [{(_kind(each.kind), each.name): each.data for each in one.sections} for one in pair]
    found = False
    for key in dict.fromkeys((*sections[0], *sections[1])):
        one, other = (each.get(key, b"") for each in sections)
        if one != other:
            yield from (f"section {key[0]}: {line}" for line in _differences(one, other))
            found = True
    if not found:
        yield from (f"header: {line}" for line in _bytes(old, new))


def _kind(number: int) -> str:
    known = {int(kind): kind.name for kind in axlf.SectionKind}
    return known.get(number, str(number))


def _elf(old: bytes, new: bytes) -> Iterator[str]:
    one, other = _elf_sections(old), _elf_sections(new)
    found = False
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            found = True
            yield from (f"{name}: {line}" for line in _bytes(one.get(name, b""), other.get(name, b"")))
    if not found:
        yield from _bytes(old, new)


def _elf_sections(data: bytes) -> dict[str, bytes]:
    """The sections of a 64-bit ELF file by name; none where it is damaged."""
    try:
        header = _ELF_HEADER.unpack_from(data)
        start, count, names = header[6], header[12], header[13]
        rows = [_ELF_SECTION.unpack_from(data, start + i * _ELF_SECTION.size) for i in range(count)]
        texts = data[rows[names][4] : rows[names][4] + rows[names][5]]
    except (struct.error, IndexError):
        return {}
    return {
        texts[row[0] : texts.index(b"\0", row[0])].decode(errors="replace"): data[row[4] : row[4] + row[5]]
        for row in rows
        if row[1] not in (0, 8)  # SHT_NULL and SHT_NOBITS have no bytes
    }


def _bytes(old: bytes, new: bytes) -> Iterator[str]:
    first = next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new))
    )
    if len(old) != len(new):
        yield f"published {len(old):,} bytes, rebuilt {len(new):,}; the first other byte is {first:#x}"
        return
    count = sum(a != b for a, b in zip(old, new, strict=True))
    some = slice(first, first + 8)
    yield f"{count:,} of {len(old):,} bytes, from {first:#x} on: {old[some].hex()} is now {new[some].hex()}"
