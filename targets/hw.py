"""A card: v++ makes a bitstream."""

from stbuild.toolchain.vitis.actions import vitis_toolchain

HW = vitis_toolchain("hw", on_card=True)
