"""The axlf container of an .xclbin: a header and sections, as XRT's xclbin.h (2.13) lays them out."""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from uuid import UUID

from stbuild.errors import StbuildError

MAGIC = b"xclbin2\0"
HEADER_BYTES = 456
"""Magic, signature, key block, unique id and the inline header; section headers follow."""
UUID_OFFSET = 304 + 112
ALIGNMENT = 8
FIXED_TIME = 0
"""Seconds since the epoch that every file carries, so that equal content is an equal file."""

_FRONT = struct.Struct("<8si28s256sQ")
_HEADER = struct.Struct("<QQQHBBHH16s64s16s16sI4x")
_SECTION = struct.Struct("<I16s4xQQ")


class SectionKind(IntEnum):
    """`axlf_section_kind`, those that we write."""

    BITSTREAM = 0
    EMBEDDED_METADATA = 2
    MEM_TOPOLOGY = 6
    CONNECTIVITY = 7
    IP_LAYOUT = 8
    CLOCK_FREQ_TOPOLOGY = 11
    BUILD_METADATA = 14
    GROUP_TOPOLOGY = 26
    GROUP_CONNECTIVITY = 27


class Mode(IntEnum):
    """`XCLBIN_MODE`: what kind of device the file is for."""

    FLAT = 0
    HW_EMU = 4
    SW_EMU = 5


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section; `kind` is a `SectionKind`, or a number that we only pass on."""

    kind: int
    name: str
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Axlf:
    """What an .xclbin holds; `uuid` is None until the file's content gave it one."""

    mode: int
    platform_vbnv: str
    sections: tuple[Section, ...]
    uuid: UUID | None = None

    def section(self, kind: SectionKind) -> bytes:
        """The data of the first section of `kind`."""
        for section in self.sections:
            if section.kind == kind:
                return section.data
        raise StbuildError(f"the xclbin has no section {kind.name}", hint="build it again")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What tells one .xclbin from another."""

    mode: int
    platform_vbnv: str
    uuid: UUID


def encode(axlf: Axlf) -> bytes:
    """The bytes of the file. The UUID is a hash of all else, so equal content gives equal bytes."""
    offsets, length = _place(axlf.sections)
    out = bytearray(length)
    _FRONT.pack_into(out, 0, MAGIC, -1, b"\xff" * 28, b"\xff" * 256, 0)
    header = _HEADER.pack(
        length, FIXED_TIME, 0, 0, 2, 1, axlf.mode, 0, bytes(16),
        axlf.platform_vbnv.encode()[:63], bytes(16), bytes(16), len(axlf.sections),
    )  # fmt: skip
    out[_FRONT.size : HEADER_BYTES] = header
    for index, (section, offset) in enumerate(zip(axlf.sections, offsets, strict=True)):
        at = HEADER_BYTES + index * _SECTION.size
        _SECTION.pack_into(out, at, section.kind, section.name.encode()[:15], offset, len(section.data))
        out[offset : offset + len(section.data)] = section.data
    out[UUID_OFFSET : UUID_OFFSET + 16] = _content_uuid(out)
    return bytes(out)


def decode(data: bytes, where: str) -> Axlf:
    """The inverse of `encode`; a damaged file is a StbuildError that says what is wrong with it.

    Files for the emulated card are all ours, so their UUID is held against their content.
    """
    identity = identify(data, where)
    fields = _HEADER.unpack_from(data, _FRONT.size)
    length, count = fields[0], fields[12]
    if length != len(data):
        raise StbuildError(
            f"the xclbin has {len(data)} bytes, its header says {length}", where=where, hint="it was cut off"
        )
    if identity.mode == Mode.SW_EMU and identity.uuid.bytes != _content_uuid(data):
        raise StbuildError("the xclbin is damaged: its content does not match its UUID", where=where)
    sections = tuple(_section(data, HEADER_BYTES + i * _SECTION.size, where) for i in range(count))
    return Axlf(
        mode=identity.mode, platform_vbnv=identity.platform_vbnv, sections=sections, uuid=identity.uuid
    )


def identify(data: bytes, where: str) -> Identity:
    """What the first `HEADER_BYTES` bytes of an .xclbin say; StbuildError when `data` is no such file."""
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        raise StbuildError("this is not an xclbin file", where=where)
    fields = _HEADER.unpack_from(data, _FRONT.size)
    return Identity(mode=fields[6], platform_vbnv=_text(fields[9]), uuid=UUID(bytes=fields[10]))


def read(path: Path) -> Axlf:
    """Read the .xclbin at `path`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StbuildError(f"the xclbin cannot be read: {error.strerror}", where=str(path)) from error
    return decode(data, str(path))


def _content_uuid(data: bytes | bytearray) -> bytes:
    """A hash of all bytes but the UUID's own."""
    digest = hashlib.sha256(data[:UUID_OFFSET])
    digest.update(data[UUID_OFFSET + 16 :])
    return digest.digest()[:16]


def _place(sections: tuple[Section, ...]) -> tuple[list[int], int]:
    offsets = []
    end = HEADER_BYTES + len(sections) * _SECTION.size
    for section in sections:
        end += -end % ALIGNMENT
        offsets.append(end)
        end += len(section.data)
    return offsets, end + -end % ALIGNMENT


def _section(data: bytes, at: int, where: str) -> Section:
    if at + _SECTION.size > len(data):
        raise StbuildError("the xclbin's section table leaves the file", where=where)
    kind, name, offset, size = _SECTION.unpack_from(data, at)
    if offset + size > len(data):
        raise StbuildError(f"section {_text(name)!r} leaves the file", where=where)
    return Section(kind=kind, name=_text(name), data=data[offset : offset + size])


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
