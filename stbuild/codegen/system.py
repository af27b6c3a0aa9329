"""The C++ that joins the kernels in emulation, as the linker's `nk` and `sc` lines join them on a card."""

from collections.abc import Iterator

from stbuild.codegen.control import SCALARS, control_parameters, pointers
from stbuild.codegen.identifiers import connections, with_identifiers
from stbuild.codegen.ports import arguments, element, ends_of_kernel, parameters, ports_of
from stbuild.codegen.writer import cpp_file, function, prototype
from stbuild.ir.design import Design, KernelRole, Stream, StreamKind
from stbuild.ir.plumbing import ComputeUnit


def system_file(design: Design) -> str:
    """The file that defines `build` and `launch` of `hls_lib/sim/runtime.hpp`."""
    design = with_identifiers(design)
    about = f"The network of {design.name}: every compute unit and the streams between them."
    inside = "\n\n".join(
        (
            "namespace stb {\nnamespace sim {",
            function("void build", (), _build(design)).replace("(\n\n)", "()"),
            function("void launch", _LAUNCH, _launch(design)),
            "}  // namespace sim\n}  // namespace stb",
            function('extern "C" const int* stb_pointers', (), _pointers(design)).replace("(\n\n)", "()"),
        )
    )
    prototypes = "\n".join(_prototypes(design))
    return cpp_file(about, ["stb/stream.hpp"], [prototypes, inside])


_LAUNCH = ("void* const* buffers", "const std::uint64_t* scalars")


def _prototypes(design: Design) -> Iterator[str]:
    for kernel in design.kernels:
        hosted = kernel.role is KernelRole.CONTROL
        declared = control_parameters(design, kernel) if hosted else parameters(ports_of(design, kernel))
        yield prototype(f'extern "C" void {kernel.name}', declared)


def _build(design: Design) -> Iterator[str]:
    for stream in connections(design):
        yield _open(stream, design)
    for kernel in design.kernels:
        if kernel.role is not KernelRole.CONTROL:
            for unit, streams in zip(kernel.units, arguments(design, kernel), strict=True):
                yield "{"
                yield f'  const Unit unit("{unit}");'
                yield f"  ::{kernel.name}({', '.join(streams)});"
                yield "}"


def _launch(design: Design) -> Iterator[str]:
    (control,) = (k for k in design.kernels if k.role is KernelRole.CONTROL)
    streams = ends_of_kernel(design, control.name).outer
    for stream in streams:
        yield _open(stream, design)
    yield f'const Unit unit("{control.units[0]}");'
    place = {region.name: i for i, region in enumerate(design.regions)}
    memories = [f"static_cast<{p.type}>(buffers[{place[p.region.name]}])" for p in pointers(design)]
    scalars = [f"static_cast<int>(scalars[{i}])" for i in range(len(SCALARS))]
    operands = ",\n      ".join((*memories, *scalars, ", ".join(s.name for s in streams)))
    yield f"::{control.name}({operands});"


def _pointers(design: Design) -> Iterator[str]:
    """For the device model of XRT: which of the buffers each pointer argument of `control` means."""
    place = {region.name: i for i, region in enumerate(design.regions)}
    places = ", ".join(str(place[p.region.name]) for p in pointers(design))
    yield f"static const int places[] = {{{places}}};"
    yield "return places;"


def _open(stream: Stream, design: Design) -> str:
    """A FIFO between kernels; one for weights is deeper by what its lane fetches ahead."""
    kind, depth = element(stream), stream.depth
    sink = design.process(stream.sink).op
    if stream.kind is StreamKind.WEIGHTS and isinstance(sink, ComputeUnit):
        depth += design.engines[sink.engine].prefetch
    return f'Port<{kind}> {stream.name} = open_port<{kind}>("{stream.name}", {depth});'
