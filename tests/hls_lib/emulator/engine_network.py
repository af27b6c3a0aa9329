"""A network of the matmul engine alone: two input vectors and two results straight to and from memory."""

from collections.abc import Iterable
from dataclasses import dataclass

PORTS = 2
"""Sources and destinations of the router."""


@dataclass(frozen=True, kw_only=True)
class EngineSizes:
    """What the network is generated for."""

    units: int = 2
    lanes: int = 2
    columns: int = 256
    chunk: int = 4
    token_lanes: int = 2
    min_words: int = 4
    fabric: int = 0
    max_tiles: int = 64
    depth: int = 32

    @property
    def channels(self) -> int:
        """Weight channels of all units."""
        return self.units * self.lanes


def engine_source(sizes: EngineSizes) -> str:
    """One C++ file: control, router, matmul and the system; see `launch` for the arguments."""
    return "\n\n".join((_INCLUDES, _control(sizes), _router(sizes), _matmul(sizes), _system(sizes)))


_INCLUDES = "\n".join(f'#include "stb/{h}.hpp"' for h in ("matmul", "memory", "router", "stream"))


def _control(sizes: EngineSizes) -> str:
    """Arguments: weights of each channel, program, x_0, x_1, y_0, y_1; the scalars of `_SCALARS`."""
    channels = range(sizes.channels)
    parameters = [
        *(f"const stb::Word* weights_{c}_mem" for c in channels), "const stb::Word* program_mem",
        *(f"const stb::Word* x_{i}_mem" for i in range(PORTS)),
        *(f"stb::Word* y_{i}_mem" for i in range(PORTS)),
        *(f"int {s}" for s in scalars(sizes)), *_ports("stb::", _outside(sizes)),
    ]  # fmt: skip
    shape = f"{sizes.chunk}, {sizes.channels}"
    sequence = f"stb::sequence<{shape}>(program_mem, 0, program_words, n, 0, head, desc)"
    calls = [
        _call("sequence", sequence),
        *(_call(f"read_x_{i}", f"stb::send(x_{i}_mem, 0, x_{i}_words, x_{i})") for i in range(PORTS)),
        *(_call(f"write_y_{i}", f"stb::write_words(y_{i}_mem, y_{i}_words, y_{i})") for i in range(PORTS)),
        *(
            _call(f"read_{c}", f"stb::read_weights(weights_{c}_mem, words_{c}, 0, head, weights_{c})")
            for c in channels
        ),
    ]
    return _function("void control", parameters, calls)


def scalars(sizes: EngineSizes) -> tuple[str, ...]:
    """The scalar arguments in order."""
    counts = [*(f"x_{i}_words" for i in range(PORTS)), *(f"y_{i}_words" for i in range(PORTS))]
    return ("n", "head", "program_words", *counts, *(f"words_{c}" for c in range(sizes.channels)))


def _outside(sizes: EngineSizes) -> list[str]:
    return [
        "desc", *(f"x_{i}" for i in range(PORTS)), *(f"y_{i}" for i in range(PORTS)),
        *(f"weights_{c}" for c in range(sizes.channels)),
    ]  # fmt: skip


def _router(sizes: EngineSizes) -> str:
    units = range(sizes.units)
    sources, destinations = [f"x_{i}" for i in range(PORTS)], [f"y_{i}" for i in range(PORTS)]
    tiles, to_units = [f"tiles_{u}" for u in units], [s for u in units for s in (f"desc_{u}", f"act_{u}")]
    dispatch = ", ".join(("desc", *sources, "desc_collect", *to_units))
    collect = ", ".join(("desc_collect", *tiles, *destinations))
    lanes = f"stb::UnitLanes<{', '.join([str(sizes.lanes)] * sizes.units)}>"
    body = [
        "STB_FIFO(stb::Word, desc_collect, 4)",
        _call("dispatch", f"stb::dispatch<{PORTS}, {lanes}, {sizes.columns}>({dispatch})"),
        _call("collect", f"stb::collect<{lanes}, {PORTS}, {sizes.chunk}, {sizes.max_tiles}>({collect})"),
    ]
    ports = ["desc", *sources, *tiles, *to_units, *destinations]
    return _function("void router", _ports("stb::", ports), body)


def _matmul(sizes: EngineSizes) -> str:
    lanes = range(sizes.lanes)
    fifos = {"lane_desc": 4, "lane_act": 16, "lane_tiles": 8}
    to_lanes = ", ".join(s for i in lanes for s in (f"lane_desc_{i}", f"lane_act_{i}"))
    results = ", ".join(f"lane_tiles_{i}" for i in lanes)
    body = [
        "STB_FIFO(stb::Word, merge_desc, 4)",
        *(f"STB_FIFO(stb::Word, {name}_{i}, {depth})" for i in lanes for name, depth in fifos.items()),
        *(f"STB_PREFETCH(fetched_{i}, weights_{i}, 16, bram)" for i in lanes),
        _call("act_fan", f"stb::act_fan<{sizes.lanes}>(desc, act, merge_desc, {to_lanes})"),
        *(_call(f"mac_lane_{i}", _lane(i, sizes)) for i in lanes),
        _call("merge", f"stb::merge<{sizes.lanes}>(merge_desc, {results}, tiles)"),
    ]
    ports = ["desc", "act", *(f"weights_{i}" for i in lanes), "tiles"]
    return _function("void matmul", _ports("stb::", ports), body)


def _lane(index: int, sizes: EngineSizes) -> str:
    parameters = f"{index}, {sizes.columns}, {sizes.chunk}, {sizes.token_lanes}, {sizes.min_words}"
    parameters += f", {sizes.fabric}" if sizes.fabric else ""
    ports = ", ".join(f"{name}_{index}" for name in ("lane_desc", "lane_act", "fetched", "lane_tiles"))
    return f"stb::mac_lane<{parameters}>({ports})"


def _system(sizes: EngineSizes) -> str:
    units = range(sizes.units)
    inside = [s for u in units for s in (f"desc_{u}", f"act_{u}", f"tiles_{u}")]
    build = [_open(s, sizes) for s in (*_outside(sizes), *inside)]
    results = [*(f"tiles_{u}" for u in units), *(s for u in units for s in (f"desc_{u}", f"act_{u}"))]
    destinations = [f"y_{i}" for i in range(PORTS)]
    sources = [f"x_{i}" for i in range(PORTS)]
    build += [_unit("router", "router", ("desc", *sources, *results, *destinations))]
    for u in units:
        weights = [f"weights_{u * sizes.lanes + i}" for i in range(sizes.lanes)]
        build += [_unit(f"matmul_{u}", "matmul", (f"desc_{u}", f"act_{u}", *weights, f"tiles_{u}"))]
    read_only = sizes.channels + 1 + PORTS
    buffers = [
        f"static_cast<{'const ' if i < read_only else ''}Word*>(buffers[{i}])"
        for i in range(read_only + PORTS)
    ]
    values = [f"static_cast<int>(scalars[{i}])" for i in range(len(scalars(sizes)))]
    launch = [_open(s, sizes) for s in _outside(sizes)]
    launch += [_unit("control", "control", (*buffers, *values, *_outside(sizes)))]
    arguments = ["void* const* buffers", "const std::uint64_t* scalars"]
    functions = (_function("void build", [], build), _function("void launch", arguments, launch))
    return "\n".join(("namespace stb { namespace sim {", *functions, "} }"))


def _open(stream: str, sizes: EngineSizes) -> str:
    return f'Port<Word> {stream} = open_port<Word>("{stream}", {sizes.depth});'


def _unit(name: str, kernel: str, arguments: Iterable[str]) -> str:
    return f'{{ const Unit unit("{name}"); {kernel}({", ".join(arguments)}); }}'


def _call(name: str, call: str) -> str:
    return f"STB_CALL({name}, ({call}))"


def _ports(scope: str, names: Iterable[str]) -> list[str]:
    return [f"{scope}Port<{scope}Word>& {name}" for name in names]


def _function(head: str, parameters: Iterable[str], body: Iterable[str]) -> str:
    lines = "\n".join(f"  {line}" for line in body)
    return f"{head}({', '.join(parameters)}) {{\n{lines}\n}}\n"
