"""An emulated card: g++ makes a shared object of the kernels, which runs in the process of its user."""

from stbuild.api import Toolchain
from stbuild.toolchain.emu_actions import compile_kernels, link_kernels

SW_EMU = Toolchain(name="sw_emu", compile=compile_kernels, link=link_kernels)
