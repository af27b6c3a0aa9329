"""The C++ of the matmul engine: the compute unit with its lanes, and the router around the units."""

from stbuild.codegen.kernel import call_line, ends_of_kernel, fifo, port_parameters, port_pragmas
from stbuild.codegen.writer import cpp_file, function
from stbuild.ir.design import LANE_WORDS, Collect, Design, Stream


def router_kernel(design: Design) -> str:
    """The C++ file of `router`."""
    ends = ends_of_kernel(design, "router")
    dispatch, collect = design.process("dispatch"), design.process("collect")
    assert isinstance(collect.op, Collect)
    sizes = design.sizes
    sources, results = len(dispatch.reads) - 1, len(collect.writes)
    head = f"{sources}, {sizes.units}, {sizes.lanes}, {_columns(design)}"
    tail = f"{sizes.units}, {sizes.lanes}, {results}, {sizes.chunk}, {collect.op.max_tiles}"
    streams = {p.name: ", ".join((*p.reads, *p.writes)) for p in (dispatch, collect)}
    body = [
        *port_pragmas(ends.ports),
        *(fifo(s) for s in ends.inner),
        call_line("dispatch", f"stb::dispatch<{head}>({streams['dispatch']})"),
        call_line("collect", f"stb::collect<{tail}>({streams['collect']})"),
    ]
    about = (
        f"Kernel router of {design.name}: {sources} vectors to {sizes.units} units, {results} results back."
    )
    main = function('extern "C" void router', port_parameters(ends.ports), body)
    return cpp_file(about, ["stb/router.hpp", "stb/stream.hpp"], [main])


def matmul_kernel(design: Design) -> str:
    """The C++ file of `matmul`, the same for every unit."""
    sizes = design.sizes
    lanes = range(sizes.lanes)
    inner = [name for k in lanes for name in (f"lane_desc_{k}", f"lane_act_{k}", f"lane_out_{k}")]
    fan = ", ".join(f"lane_desc_{k}, lane_act_{k}" for k in lanes)
    outs = ", ".join(f"lane_out_{k}" for k in lanes)
    shape = f"{_columns(design)}, {sizes.chunk}, {sizes.token_lanes}"
    body = [
        *port_pragmas(_unit_ports(design)),
        *(f"STB_FIFO(stb::Word, {name}, {LANE_WORDS})" for name in ("merge_desc", *inner)),
        call_line("act_fan", f"stb::act_fan<{sizes.lanes}>(desc, act, merge_desc, {fan})"),
        *(
            call_line(
                f"mac_lane_{k}",
                f"stb::mac_lane<{k}, {shape}>(lane_desc_{k}, lane_act_{k}, weights_{k}, lane_out_{k})",
            )
            for k in lanes
        ),
        call_line("merge", f"stb::merge<{sizes.lanes}>(merge_desc, {outs}, tiles)"),
    ]
    about = f"Kernel matmul of {design.name}: a compute unit of {sizes.lanes} weight channels."
    main = function('extern "C" void matmul', engine_kernel_parameters(design), body)
    return cpp_file(about, ["stb/matmul.hpp", "stb/stream.hpp"], [main])


def engine_kernel_parameters(design: Design) -> list[str]:
    """The parameters of `matmul`."""
    return port_parameters(_unit_ports(design))


def unit_arguments(design: Design, unit: int) -> tuple[str, ...]:
    """The streams at the ports of compute unit `unit`, in the order of its parameters."""
    first = unit * design.sizes.lanes
    weights = (f"weights_{first + k}" for k in range(design.sizes.lanes))
    return (f"desc_{unit}", f"act_{unit}", *weights, f"tiles_{unit}")


def _unit_ports(design: Design) -> tuple[Stream, ...]:
    weights = (f"weights_{k}" for k in range(design.sizes.lanes))
    return tuple(Stream(name=n, source="", sink="", words=1) for n in ("desc", "act", *weights, "tiles"))


def _columns(design: Design) -> int:
    """Columns of the widest matrix."""
    return max(op.cols for op in design.matmuls)
