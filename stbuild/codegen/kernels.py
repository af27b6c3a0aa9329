"""All kernels of a design as C++ files."""

from stbuild.codegen.control import control_kernel
from stbuild.codegen.engine import matmul_kernel, router_kernel
from stbuild.codegen.identifiers import with_identifiers
from stbuild.codegen.kernel import streaming_kernel
from stbuild.ir.design import Design, KernelRole

_WRITERS = {
    KernelRole.CONTROL: control_kernel,
    KernelRole.MATMUL: matmul_kernel,
    KernelRole.ROUTER: router_kernel,
    KernelRole.SEGMENT: streaming_kernel,
}


def kernel_files(design: Design) -> dict[str, str]:
    """The text of each kernel by its name in C++."""
    named = with_identifiers(design)
    return {kernel.name: _WRITERS[kernel.role](named, kernel) for kernel in named.kernels}
