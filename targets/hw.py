"""A card: v++ makes a bitstream."""

from stbuild.api import Toolchain
from stbuild.toolchain.vitis.actions import compile_kernels, link_kernels

HW = Toolchain(name="hw", compile=compile_kernels, link=link_kernels, on_card=True, device="xrt")
