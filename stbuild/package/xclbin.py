"""The .xclbin of a design: kernel image, memory map, kernels, clocks; bit-reproducible, read by XRT."""

import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from xml.etree import ElementTree

from stbuild.package import axlf
from stbuild.package.axlf import Axlf, Mode, Section, SectionKind

CONTROL_PORT = "S_AXI_CONTROL"
FIRST_ARGUMENT_OFFSET = 0x10
"""Registers 0x00 to 0x0c of an `ap_ctrl_hs` kernel are control and interrupts."""
REGISTERS_PER_UNIT = 0x10000
_STREAM_ADDRESS = 0xFFFFFFFFFFFFFFFF
"""What a kernel without a register map has for a base address."""

_MEMORY = struct.Struct("<BB6xQQ16s")
_IP = struct.Struct("<IIQ64s")
_CONNECTION = struct.Struct("<iii")
_CLOCK = struct.Struct("<HB5x128s")


class MemType(IntEnum):
    """`MEM_TYPE`, those that our platforms have."""

    DDR4 = 1
    DRAM = 2
    HBM = 6


@dataclass(frozen=True, kw_only=True)
class MemoryBank:
    """One entry of MEM_TOPOLOGY; `tag` is the name that `sp=` uses."""

    tag: str
    type: MemType
    bytes: int
    base_address: int
    used: bool = True


@dataclass(frozen=True, kw_only=True)
class KernelArgument:
    """An argument of a host-started kernel: a buffer in `banks` (indices), or a scalar of `bytes`."""

    name: str
    bytes: int
    banks: tuple[int, ...] = ()
    port: str = ""

    @property
    def is_buffer(self) -> bool:
        """Whether the host passes a buffer's address."""
        return bool(self.banks)


@dataclass(frozen=True, kw_only=True)
class KernelIp:
    """A kernel with the names of its compute units; without arguments it is `ap_ctrl_none`."""

    name: str
    units: tuple[str, ...]
    arguments: tuple[KernelArgument, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Xclbin:
    """What goes into the file."""

    name: str
    platform: str
    shell: str
    mode: Mode
    clock_mhz: int
    memories: tuple[MemoryBank, ...]
    kernels: tuple[KernelIp, ...]
    image: bytes


def encode(xclbin: Xclbin) -> bytes:
    """The bytes of the file; the same `xclbin` gives the same bytes."""
    return axlf.encode(_axlf(xclbin))


def kernel_image(path: Path) -> bytes:
    """The BITSTREAM section, verbatim: for an emulated card the shared object with the kernels."""
    return axlf.read(path).section(SectionKind.BITSTREAM)


def memory_topology(data: bytes) -> tuple[MemoryBank, ...]:
    """The banks of a MEM_TOPOLOGY section."""
    (count,) = struct.unpack_from("<i", data)
    entries = (_MEMORY.unpack_from(data, 8 + i * _MEMORY.size) for i in range(count))
    return tuple(
        MemoryBank(tag=tag.rstrip(b"\0").decode(), type=MemType(kind), bytes=size * 1024, base_address=base,
                   used=bool(used))
        for kind, used, size, base, tag in entries
    )  # fmt: skip


def _axlf(xclbin: Xclbin) -> Axlf:
    parts = (
        (SectionKind.BITSTREAM, xclbin.image),
        (SectionKind.MEM_TOPOLOGY, _memory_section(xclbin.memories)),
        (SectionKind.IP_LAYOUT, _ip_section(xclbin.kernels)),
        (SectionKind.CONNECTIVITY, _connectivity_section(xclbin.kernels)),
        (SectionKind.CLOCK_FREQ_TOPOLOGY, _clock_section(xclbin.clock_mhz)),
        (SectionKind.GROUP_TOPOLOGY, _memory_section((*xclbin.memories, *_groups(xclbin)))),
        (SectionKind.GROUP_CONNECTIVITY, _group_connectivity_section(xclbin)),
        (SectionKind.EMBEDDED_METADATA, _metadata(xclbin)),
        (SectionKind.BUILD_METADATA, _build_metadata(xclbin)),
    )
    sections = tuple(Section(kind=kind, name=xclbin.name[:15], data=data) for kind, data in parts)
    return Axlf(mode=xclbin.mode, platform_vbnv=_vbnv(xclbin.shell), sections=sections)


def _vbnv(shell: str) -> str:
    """vendor:board:name:version, which XRT prints as the platform's name."""
    vendor, board, *rest = shell.split("_")
    return f"{vendor}:{board}:{'_'.join(rest[:-1])}:{rest[-1]}.0"


def _memory_section(banks: tuple[MemoryBank, ...]) -> bytes:
    entries = (
        _MEMORY.pack(bank.type, bank.used, bank.bytes // 1024, bank.base_address, bank.tag.encode()[:15])
        for bank in banks
    )
    return struct.pack("<i4x", len(banks)) + b"".join(entries)


def _units(kernels: tuple[KernelIp, ...]) -> list[tuple[KernelIp, str, int]]:
    """Every compute unit with its base address: host-started ones first, as XRT wants them sorted."""
    started = [(kernel, unit) for kernel in kernels if kernel.arguments for unit in kernel.units]
    streams = [(kernel, unit) for kernel in kernels if not kernel.arguments for unit in kernel.units]
    placed = [(kernel, unit, (i + 1) * REGISTERS_PER_UNIT) for i, (kernel, unit) in enumerate(started)]
    return placed + [(kernel, unit, _STREAM_ADDRESS) for kernel, unit in streams]


def _ip_section(kernels: tuple[KernelIp, ...]) -> bytes:
    kernel_instance, ap_ctrl_hs, ap_ctrl_none = 1, 0, 2
    entries = []
    for kernel, unit, base in _units(kernels):
        control = ap_ctrl_hs if kernel.arguments else ap_ctrl_none
        entries.append(_IP.pack(kernel_instance, control << 8, base, f"{kernel.name}:{unit}".encode()[:63]))
    return struct.pack("<i4x", len(entries)) + b"".join(entries)


def _connectivity_section(kernels: tuple[KernelIp, ...]) -> bytes:
    return _connections((argument, ip, bank) for ip, argument, banks in _buffers(kernels) for bank in banks)


def _group_connectivity_section(xclbin: Xclbin) -> bytes:
    """Each buffer's group, or its bank if it is one; then all connections, as xclbinutil writes them."""
    places = {banks: len(xclbin.memories) + i for i, banks in enumerate(_grouped(xclbin.kernels))}
    buffers = list(_buffers(xclbin.kernels))
    grouped = [(argument, ip, places.get(banks, banks[0])) for ip, argument, banks in buffers]
    plain = [(argument, ip, bank) for ip, argument, banks in buffers for bank in banks]
    return _connections((*grouped, *plain))


def _connections(entries: Iterable[tuple[int, int, int]]) -> bytes:
    packed = [_CONNECTION.pack(*entry) for entry in entries]
    return struct.pack("<i", len(packed)) + b"".join(packed)


def _buffers(kernels: tuple[KernelIp, ...]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Compute unit, argument and banks of every buffer."""
    for ip, (kernel, _, _) in enumerate(_units(kernels)):
        for argument, value in enumerate(kernel.arguments):
            if value.is_buffer:
                yield ip, argument, value.banks


def _grouped(kernels: tuple[KernelIp, ...]) -> tuple[tuple[int, ...], ...]:
    """The banks of every buffer that lies in several, each once."""
    return tuple(dict.fromkeys(banks for _, _, banks in _buffers(kernels) if len(banks) > 1))


def _groups(xclbin: Xclbin) -> Iterator[MemoryBank]:
    """Several banks in a row as one memory, in which XRT puts a buffer that spans them."""
    for banks in _grouped(xclbin.kernels):
        members = [xclbin.memories[bank] for bank in banks]
        size = sum(bank.bytes for bank in members)
        yield replace(members[0], tag=f"MBG[{banks[0]}:{banks[-1]}]", bytes=size, used=True)


def _clock_section(clock_mhz: int) -> bytes:
    data_clock, kernel_clock = 1, 2
    clocks = ((clock_mhz, data_clock, b"DATA_CLK"), (500, kernel_clock, b"KERNEL_CLK"))
    return struct.pack("<h", len(clocks)) + b"".join(_CLOCK.pack(*clock) for clock in clocks)


def _metadata(xclbin: Xclbin) -> bytes:
    vendor, board, name, _ = _vbnv(xclbin.shell).split(":")
    project = ElementTree.Element("project", name=xclbin.name)
    platform = ElementTree.SubElement(project, "platform", vendor=vendor, boardid=board, name=name)
    device = ElementTree.SubElement(platform, "device", name="fpga0")
    target = {Mode.SW_EMU: "csim", Mode.HW_EMU: "hw_em", Mode.FLAT: "bitstream"}[xclbin.mode]
    core = ElementTree.SubElement(device, "core", name="OCL_REGION_0", target=target, type="clc_region")
    addresses = {(kernel.name, unit): base for kernel, unit, base in _units(xclbin.kernels)}
    for kernel in xclbin.kernels:
        _kernel_element(core, kernel, addresses)
    ElementTree.indent(project)
    text: bytes = ElementTree.tostring(project, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _kernel_element(
    core: ElementTree.Element, kernel: KernelIp, addresses: dict[tuple[str, str], int]
) -> None:
    protocol = "ap_ctrl_hs" if kernel.arguments else "ap_ctrl_none"
    element = ElementTree.SubElement(
        core, "kernel", name=kernel.name, language="c", type="pl", hwControlProtocol=protocol
    )
    if kernel.arguments:
        ElementTree.SubElement(
            element, "port", name=CONTROL_PORT, mode="slave", range=hex(REGISTERS_PER_UNIT), dataWidth="32",
            portType="addressable", base="0x0",
        )  # fmt: skip
    for port in dict.fromkeys(a.port for a in kernel.arguments if a.is_buffer):
        ElementTree.SubElement(
            element, "port", name=port, mode="master", range="0xFFFFFFFFFFFFFFFF", dataWidth="512",
            portType="addressable", base="0x0",
        )  # fmt: skip
    offset = FIRST_ARGUMENT_OFFSET
    for index, argument in enumerate(kernel.arguments):
        _argument_element(element, index, argument, offset)
        offset += argument_stride(argument)
    for unit in kernel.units:
        instance = ElementTree.SubElement(element, "instance", name=unit)
        if kernel.arguments:
            base = hex(addresses[kernel.name, unit])
            ElementTree.SubElement(instance, "addrRemap", base=base, port=CONTROL_PORT)


def argument_stride(argument: KernelArgument) -> int:
    """Bytes of register map from one argument to the next: its 32-bit words and a reserved one."""
    words = 2 if argument.is_buffer else -(-argument.bytes // 4)
    return 4 * (words + 1)


def _argument_element(
    element: ElementTree.Element, index: int, argument: KernelArgument, offset: int
) -> None:
    size = 8 if argument.is_buffer else argument.bytes
    scalar_type = "unsigned long" if size == 8 else "unsigned int"
    ElementTree.SubElement(
        element,
        "arg",
        name=argument.name,
        addressQualifier="1" if argument.is_buffer else "0",
        id=str(index),
        port=argument.port if argument.is_buffer else CONTROL_PORT,
        size=hex(size),
        offset=hex(offset),
        hostOffset="0x0",
        hostSize=hex(size),
        type="void*" if argument.is_buffer else scalar_type,
    )


def _build_metadata(xclbin: Xclbin) -> bytes:
    vendor, board, name, version = _vbnv(xclbin.shell).split(":")
    kernels = [
        {"name": kernel.name, "instances": [{"name": unit} for unit in kernel.units]}
        for kernel in xclbin.kernels
    ]
    region = {"name": "OCL_REGION_0", "type": "clc_region", "kernels": kernels}
    data = {
        "build_metadata": {
            "schema_version": {"major": "1", "minor": "0", "patch": "0"},
            "dsa": {"vendor": vendor, "board_id": board, "name": name, "version_major": version.split(".")[0],
                    "version_minor": "0"},
            "xclbin": {"generated_by": {"name": "stbuild"}, "user_regions": [region]},
        }
    }  # fmt: skip
    return json.dumps(data, indent=1).encode()
