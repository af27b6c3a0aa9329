"""The RTL of the kernels in Vivado's simulator, with the shell and its memories around it."""

from stbuild.api import Toolchain
from stbuild.toolchain.vitis.actions import compile_kernels, link_kernels

HW_EMU = Toolchain(name="hw_emu", compile=compile_kernels, link=link_kernels, device="xrt")
