"""All kernels of a design as C++ files."""

from stbuild.codegen.control import control_kernel
from stbuild.codegen.engine import matmul_kernel, router_kernel
from stbuild.codegen.kernel import streaming_kernel
from stbuild.ir.design import Design


def kernel_files(design: Design) -> dict[str, str]:
    """The text of each kernel by its name."""
    special = {"control": control_kernel, "matmul": matmul_kernel, "router": router_kernel}
    return {
        kernel.name: special[kernel.name](design)
        if kernel.name in special
        else streaming_kernel(design, kernel.name)
        for kernel in design.kernels
    }
