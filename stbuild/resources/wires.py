"""Wires between compute units, and how many of them cross each boundary of two SLRs."""

from collections import Counter
from collections.abc import Mapping

from stbuild.ir.design import Design, RegionKind
from stbuild.resources.usage import control_of, memory_ports, stream_bits

HANDSHAKE = 2
"""TVALID and TREADY: the streams have no other side channels."""
AXI_READ, AXI_WRITE = 620, 690
"""Modelled: data, address and handshakes of one direction of a 512-bit AXI port; writes have strobes."""


def wires_between(design: Design) -> Mapping[tuple[str, str], int]:
    """Wires of the streams between each two units that have any, in the order of the streams."""
    units = {p.name: design.unit_of(p) for p in design.processes}
    found = Counter[tuple[str, str]]()
    for stream in design.streams:
        ends = units[stream.source], units[stream.sink]
        if ends[0] != ends[1]:
            found[ends] += stream_bits(stream) + HANDSHAKE
    return found


def memory_wires(design: Design) -> int:
    """Wires of all memory ports of `control`, which cross every boundary between it and the memory."""
    return sum(_port_wires(design, port) for port in memory_ports(design))


def _port_wires(design: Design, port: str) -> int:
    reads = any(r.port == port and (r.kind is RegionKind.KV or not r.writable) for r in design.regions)
    writes = any(r.writable and (r.write_port or r.port) == port for r in design.regions)
    return AXI_READ * reads + AXI_WRITE * writes


def crossings(design: Design, home: int, count: int) -> tuple[int, ...]:
    """Wires across the boundary behind each of `count` SLRs but the last; the memory is beside SLR `home`."""
    seats = {u: s for k in design.kernels for u, s in zip(k.units, k.slrs, strict=True)}
    pairs = [(seats[a], seats[b], wires) for (a, b), wires in wires_between(design).items()]
    (control,) = control_of(design).units
    pairs.append((seats[control], home, memory_wires(design)))
    return tuple(
        sum(wires for a, b, wires in pairs if _crosses(a, b, boundary)) for boundary in range(count - 1)
    )


def _crosses(a: int | None, b: int | None, boundary: int) -> bool:
    if a is None or b is None:
        return False
    return min(a, b) <= boundary < max(a, b)
