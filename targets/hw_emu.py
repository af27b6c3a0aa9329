"""The RTL of the kernels in Vivado's simulator, with the shell and its memories around it."""

from stbuild.toolchain.vitis.actions import vitis_toolchain

HW_EMU = vitis_toolchain("hw_emu", on_card=False)
