"""The action that compiles the device model behind XRT's software emulation."""

from typing import Any

from stbuild.api import Context, File
from stbuild.toolchain.emu import COMPILER

SOURCES = ("compute_unit", "device_memory", "metadata", "model")
FLAGS = ("-std=c++17", "-O2")


def compile_device_model(ctx: Context[Any]) -> File:
    """The program that XRT starts where an image is emulated."""
    folder, program = ctx.builtin("hls_lib/xrt_model"), ctx.output("genericpciemodel")
    sources = tuple(ctx.builtin_file(f"hls_lib/xrt_model/{name}.cpp") for name in SOURCES)
    ctx.run(
        "SimCompile",
        (COMPILER, *FLAGS, "-I", folder, *sources, "-o", program, "-ldl"),
        subject="xrt_model",
        cxx_sources=sources,
        include_dirs=(folder,),
        tools=(COMPILER,),
    )
    return program
