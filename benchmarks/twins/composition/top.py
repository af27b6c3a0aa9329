"""The SystemVerilog of a composition: an instance for each twin, a FIFO for each stream between two."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.twins.composition.instances import Instance, Pin, Stream

MEMORY = (
    ("output", "arvalid", 1), ("input", "arready", 1), ("output", "araddr", 64), ("output", "arlen", 8),
    ("input", "rvalid", 1), ("output", "rready", 1), ("input", "rdata", 512),
)  # fmt: skip
"""The pins of a read port: direction, name, bits."""


@dataclass(frozen=True, kw_only=True)
class Border:
    """A stream between a twin and a process of C++."""

    stream: Stream
    into_twin: bool


def borders(instances: Sequence[Instance]) -> tuple[Border, ...]:
    """The streams with one end in a twin."""
    return tuple(
        Border(stream=pins[0].stream, into_twin=pins[0].reads)
        for pins in _by_stream(instances).values()
        if len(pins) == 1
    )


def identifier(stream: str) -> str:
    """The stream's name in SystemVerilog."""
    return "s_" + stream.replace(".", "_in_")


def top_module(instances: Sequence[Instance]) -> str:
    """The module `composition`."""
    by_stream = _by_stream(instances)
    outer = borders(instances)
    inner = [pins[0].stream for pins in by_stream.values() if len(pins) == 2]
    ports = [
        "input logic clk", "input logic reset", "output logic moves", "output logic holds",
        *(line for border in outer for line in _ports(border)),
        *(line for each in instances if each.memory for line in _memory_ports(each.memory)),
    ]  # fmt: skip
    body = [
        f"  logic [{max(len(inner), 1) - 1}:0] fifo_moves, fifo_holds;",
        "  assign {moves, holds} = {|fifo_moves, |fifo_holds};",
        *(line for number, stream in enumerate(inner) for line in _fifo(number, stream)),
        *(line for number, each in enumerate(instances) for line in _instance(number, each, by_stream)),
    ]
    separator = ",\n    "
    return f"module composition (\n    {separator.join(ports)}\n);\n" + "\n".join(body) + "\nendmodule\n"


def _by_stream(instances: Sequence[Instance]) -> Mapping[str, list[Pin]]:
    found: dict[str, list[Pin]] = defaultdict(list)
    for instance in instances:
        for pin in instance.pins:
            found[pin.stream.name].append(pin)
    return found


def _bits(stream: Stream) -> str:
    return f"[{8 * stream.bytes - 1}:0]"


def _ports(border: Border) -> Iterator[str]:
    name = identifier(border.stream.name)
    there, back = ("input", "output") if border.into_twin else ("output", "input")
    yield f"{there} logic {name}_valid"
    yield f"{back} logic {name}_ready"
    yield f"{there} logic {_bits(border.stream)} {name}"


def _memory_ports(stream: str) -> Iterator[str]:
    for direction, pin, bits in MEMORY:
        yield f"{direction} logic [{bits - 1}:0] {identifier(stream)}_{pin}"


def _fifo(number: int, stream: Stream) -> Iterator[str]:
    name = identifier(stream.name)
    yield f"  logic {name}_x_valid, {name}_x_ready, {name}_y_valid, {name}_y_ready;"
    yield f"  logic {_bits(stream)} {name}_x, {name}_y;"
    yield f"  stream_fifo #(.DEPTH({stream.depth}), .BITS({8 * stream.bytes})) u_fifo_{number} ("
    yield f"      .clk, .reset, .x_valid({name}_x_valid), .x_ready({name}_x_ready), .x({name}_x),"
    yield f"      .y_valid({name}_y_valid), .y_ready({name}_y_ready), .y({name}_y),"
    yield f"      .moves(fifo_moves[{number}]), .holds(fifo_holds[{number}])"
    yield "  );"


def _instance(number: int, instance: Instance, by_stream: Mapping[str, list[Pin]]) -> Iterator[str]:
    buses: dict[str, list[str]] = defaultdict(list)
    for pin in sorted(instance.pins, key=lambda pin: pin.index):
        end = "" if len(by_stream[pin.stream.name]) == 1 else "_y" if pin.reads else "_x"
        buses[pin.bus].append(identifier(pin.stream.name) + end)
    connected = [".clk", ".reset"]
    for bus, names in buses.items():
        for suffix in ("_valid", "_ready", ""):
            joined = ", ".join(f"{name}{suffix}" for name in reversed(names))
            connected.append(
                f".{bus}{suffix}({{{joined}}})" if len(names) > 1 else f".{bus}{suffix}({joined})"
            )
    connected += [f".{bus}_ready(1'b1)" for bus in instance.ready]
    connected += [f".{bus}_valid(1'b0)" for bus in instance.silent]
    if instance.memory:
        connected += [f".{pin}({identifier(instance.memory)}_{pin})" for _, pin, _ in MEMORY]
    values = ", ".join(f".{name}({_literal(value)})" for name, value in instance.parameters.items())
    yield f"  // {instance.process}"
    yield f"  {instance.module}{f' #({values})' if values else ''} u_{number} ("
    yield "      " + ",\n      ".join(connected)
    yield "  );"


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(int(value))
