"""The C++ that joins the kernels in emulation, as the linker's `nk` and `sc` lines join them on a card."""

from collections.abc import Iterator

from stbuild.codegen.control import SCALARS, control_parameters, pointers
from stbuild.codegen.engine import engine_kernel_parameters, unit_arguments
from stbuild.codegen.kernel import element, ends_of_kernel, port_parameters
from stbuild.codegen.writer import cpp_file, function, prototype
from stbuild.ir.design import Design, Stream


def system_file(design: Design) -> str:
    """The file that defines `build` and `launch` of `hls_lib/sim/runtime.hpp`."""
    about = f"The network of {design.name}: every compute unit and the streams between them."
    inside = "\n\n".join(
        (
            "namespace stb {\nnamespace sim {",
            function("void build", (), _build(design)).replace("(\n\n)", "()"),
            function("void launch", _LAUNCH, _launch(design)),
            "}  // namespace sim\n}  // namespace stb",
        )
    )
    prototypes = "\n".join(_prototypes(design))
    return cpp_file(about, ["stb/stream.hpp"], [prototypes, inside])


_LAUNCH = ("void* const* buffers", "const std::uint64_t* scalars")


def connections(design: Design) -> tuple[Stream, ...]:
    """The streams that join two kernels, in the order of the design."""
    kernel = {p.name: p.kernel for p in design.processes}
    return tuple(s for s in design.streams if kernel.get(s.source, s.source) != kernel.get(s.sink, s.sink))


def _prototypes(design: Design) -> Iterator[str]:
    for kernel in design.kernels:
        match kernel.name:
            case "control":
                parameters = control_parameters(design)
            case "matmul":
                parameters = engine_kernel_parameters(design)
            case name:
                parameters = port_parameters(ends_of_kernel(design, name).ports)
        yield prototype(f'extern "C" void {kernel.name}', parameters)


def _build(design: Design) -> Iterator[str]:
    for stream in connections(design):
        yield _open(stream)
    for kernel in design.kernels:
        if kernel.name == "control":
            continue
        for number, unit in enumerate(kernel.units):
            arguments = (
                unit_arguments(design, number)
                if kernel.name == "matmul"
                else tuple(s.name for s in ends_of_kernel(design, kernel.name).ports)
            )
            yield "{"
            yield f'  const Unit unit("{unit}");'
            yield f"  {kernel.name}({', '.join(arguments)});"
            yield "}"


def _launch(design: Design) -> Iterator[str]:
    ports = ends_of_kernel(design, "control").ports
    for stream in ports:
        yield _open(stream)
    yield 'const Unit unit("control");'
    place = {region.name: i for i, region in enumerate(design.regions)}
    memories = [f"static_cast<{p.type}>(buffers[{place[p.region.name]}])" for p in pointers(design)]
    scalars = [f"static_cast<int>(scalars[{i}])" for i in range(len(SCALARS))]
    arguments = ",\n      ".join((*memories, *scalars, ", ".join(s.name for s in ports)))
    yield f"control({arguments});"


def _open(stream: Stream) -> str:
    kind = element(stream)
    return f'Port<{kind}> {stream.name} = open_port<{kind}>("{stream.name}", {stream.depth});'
