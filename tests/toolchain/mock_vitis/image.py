"""Joins kernels to an emulated card's image as the link configuration says, and wraps it in an xclbin."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from stbuild.package import xclbin
from stbuild.package.axlf import Mode
from tests.toolchain.mock_vitis.connectivity import Connection, System
from tests.toolchain.mock_vitis.kernels import EMULATION, ROOT
from tests.toolchain.mock_vitis.options import Refused

HLS_LIB = ROOT / "hls_lib"


def link_image(system: System, kernels: dict[str, Any], folder: Path) -> bytes:
    """The shared object."""
    (folder / "system.cpp").write_text(network(system, kernels))
    sources = [folder / "system.cpp", *sorted((HLS_LIB / "sim").glob("*.cpp"))]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda source: _object(source, folder), sources))
    made = folder / "kernels.so"
    parts = [*map(str, objects), *(kernels[name]["object"] for name in sorted(set(system.units.values())))]
    _run(["g++", "-shared", "-Wl,--build-id=none", *parts, "-o", str(made)])
    return made.read_bytes()


def network(system: System, kernels: dict[str, Any]) -> str:
    """The C++ of the network, from nothing but the link configuration and the kernels' signatures."""
    (hosted,) = (unit for unit, name in system.units.items() if kernels[name]["pointers"])
    lines = ['#include "stb/stream.hpp"']
    lines += [f'extern "C" {kernels[name]["signature"]};' for name in sorted(set(system.units.values()))]
    lines += ["namespace stb {", "namespace sim {", "void build() {"]
    lines += [_opened(each, system, kernels) for each in system.streams]
    lines += [_call(unit, system, kernels) for unit in system.units if unit != hosted]
    lines += ["}", "void launch(void* const* buffers, const std::uint64_t* scalars) {"]
    lines += [_opened(each, system, kernels) for each in system.streams if hosted in _units(each)]
    lines += [
        f'const Unit unit("{hosted}");',
        f"::{system.units[hosted]}({', '.join(_host(hosted, system, kernels))});",
    ]
    places = ", ".join(str(place) for _, place in _buffers(kernels[system.units[hosted]]))
    table = (
        f'extern "C" const int* stb_pointers() {{ static const int places[] = {{{places}}}; return places; }}'
    )
    return "\n".join([*lines, "}", "}", "}", table, ""])


def wrap(
    system: System, kernels: dict[str, Any], card: dict[str, Any], image: bytes, hardware: bool
) -> bytes:
    """The xclbin."""
    names = sorted(set(system.units.values()))
    return xclbin.encode(
        xclbin.Xclbin(
            name="mock",
            platform=card["name"],
            shell=card["name"],
            mode=Mode.FLAT if hardware else Mode.HW_EMU,
            clock_mhz=int(system.clock_mhz),
            memories=tuple(_memories(system, card)),
            kernels=tuple(_kernel(name, system, kernels[name]) for name in names),
            image=image,
        )
    )


def _memories(system: System, card: dict[str, Any]) -> Iterator[xclbin.MemoryBank]:
    """The banks of the card, of which the link configuration uses some."""
    used = {bank for _, low, high in system.banks.values() for bank in range(low, high + 1)}
    kind = xclbin.MemType.HBM if card["tags"][0].startswith("HBM") else xclbin.MemType.DDR4
    for bank, tag in enumerate(card["tags"]):
        address = card["base_address"] + bank * card["bank_bytes"]
        yield xclbin.MemoryBank(
            tag=tag, type=kind, bytes=card["bank_bytes"], base_address=address, used=bank in used
        )


def _kernel(name: str, system: System, kernel: dict[str, Any]) -> xclbin.KernelIp:
    """A kernel with pointers is started by the host; the others have no register map."""
    units = tuple(unit for unit, of in system.units.items() if of == name)
    if not kernel["pointers"]:
        return xclbin.KernelIp(name=name, units=units)
    arguments = tuple(
        _argument(argument, units[0], system, kernel)
        for argument, kind in kernel["order"]
        if kind != "stream"
    )
    return xclbin.KernelIp(name=name, units=units, arguments=arguments)


def _argument(name: str, unit: str, system: System, kernel: dict[str, Any]) -> xclbin.KernelArgument:
    if name not in kernel["pointers"]:
        return xclbin.KernelArgument(name=name, bytes=4)
    _, low, high = system.banks[unit, name]
    banks = tuple(range(low, high + 1))
    return xclbin.KernelArgument(name=name, bytes=8, banks=banks, port=kernel["pointers"][name])


def _units(each: Connection) -> tuple[str, str]:
    return each.source.unit, each.sink.unit


def _name(each: Connection, system: System) -> str:
    """As the emulator calls it: the port of the end whose kernel has one unit."""
    single = [
        e for e in (each.source, each.sink) if list(system.units.values()).count(system.units[e.unit]) == 1
    ]
    return single[0].port


def _opened(each: Connection, system: System, kernels: dict[str, Any]) -> str:
    kind = kernels[system.units[each.source.unit]]["streams"][each.source.port]
    name = _name(each, system)
    return f'Port<{kind}> {name} = open_port<{kind}>("{name}", {each.depth});'


def _call(unit: str, system: System, kernels: dict[str, Any]) -> str:
    kernel = system.units[unit]
    ports = [_at(unit, name, system) for name, _ in kernels[kernel]["order"]]
    return f'{{ const Unit unit("{unit}"); ::{kernel}({", ".join(ports)}); }}'


def _at(unit: str, port: str, system: System) -> str:
    """The stream at a port."""
    ends = (
        e
        for e in system.streams
        if (unit, port) in ((e.source.unit, e.source.port), (e.sink.unit, e.sink.port))
    )
    return _name(next(ends), system)


def _host(unit: str, system: System, kernels: dict[str, Any]) -> Iterator[str]:
    """The arguments of the host-started kernel."""
    kernel = kernels[system.units[unit]]
    places, scalar = dict(_buffers(kernel)), -1
    for name, kind in kernel["order"]:
        if kind == "stream":
            yield _at(unit, name, system)
        elif kind == "scalar":
            scalar += 1
            yield f"static_cast<int>(scalars[{scalar}])"
        else:
            const = "const " if kind.startswith("const") else ""
            yield f"static_cast<{const}stb::Word*>(buffers[{places[name]}])"


def _buffers(kernel: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Each pointer and the number of its buffer: the way in and the way out of one memory share one."""
    buffer, before = -1, ""
    for name, kind in kernel["order"]:
        if kind not in ("stream", "scalar"):
            buffer += 0 if name == before.replace("_in_mem", "_out_mem") and kind == "pointer" else 1
            before = name
            yield name, buffer


def _object(source: Path, folder: Path) -> Path:
    ready, made = ROOT / f"objects/{source.stem}.o", folder / f"{source.stem}.o"
    if ready.is_file():
        return ready
    _run([*EMULATION, f"-I{HLS_LIB / 'include'}", "-c", str(source), "-o", str(made)])
    return made


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused("MOCK 31", f"{argv[0]}: {done.stderr[:400]}")
