"""The actions of g++, which compiles and links the same C++ that v++ would, for an emulated card."""

from typing import Any

from stbuild.api import Context
from stbuild.providers import HlsInfo, KernelsInfo, LinkInfo
from stbuild.toolchain import emu


def compile_kernels(ctx: Context[Any], hls: HlsInfo, defines: tuple[str, ...]) -> KernelsInfo:
    """One action per kernel."""
    objects, include = ctx.output_tree("objects"), ctx.builtin("hls_lib/include")
    ctx.run_each(
        "VppCompile",
        over=hls.kernels,
        pattern="*.cpp",
        command=lambda item, out: emu.compile_argv(item, out, include, defines, ctx.cpu),
        out_tree=objects,
        out_suffix=".o",
        include_dirs=(include,),
        tools=(emu.COMPILER,),
    )
    return KernelsInfo(objects=objects, hls=hls)


def link_kernels(ctx: Context[Any], kernels: KernelsInfo, defines: tuple[str, ...]) -> LinkInfo:
    """Compile the network and the emulator's runtime, and join them with the kernels."""
    include = ctx.builtin("hls_lib/include")
    sources = (kernels.hls.system, *(ctx.builtin_file(f"hls_lib/sim/{name}.cpp") for name in emu.SIM_SOURCES))
    runtime = []
    for name, source in zip(("system", *emu.SIM_SOURCES), sources, strict=True):
        runtime.append(ctx.output(f"runtime/{name}.o"))
        ctx.run(
            "SimCompile",
            emu.compile_argv(source, runtime[-1], include, defines, ctx.cpu),
            subject=f"{name}.cpp",
            cxx_sources=(source,),
            include_dirs=(include,),
            tools=(emu.COMPILER,),
        )
    image = ctx.output("kernels.so")
    ctx.run("VppLink", emu.link_argv(kernels.objects, runtime, image), tools=(emu.COMPILER,))
    return LinkInfo(image=image, hls=kernels.hls)
