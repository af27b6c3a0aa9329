"""Link compiled kernels into a kernel image."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import KernelsInfo, LinkInfo
from stbuild.toolchain import emu


@dataclass(frozen=True, kw_only=True)
class VppLink:
    """`kernels` gives the objects; `defines` must be theirs."""

    kernels: KernelsInfo
    defines: tuple[str, ...] = ()


@rule
def vpp_link(ctx: Context[VppLink]) -> LinkInfo:
    """Compile the network and the emulator's runtime, and join them with the kernels."""
    kernels = ctx.attrs.kernels
    include = ctx.builtin("hls_lib/include")
    sources = (kernels.hls.system, *(ctx.builtin_file(f"hls_lib/sim/{name}.cpp") for name in emu.SIM_SOURCES))
    runtime = []
    for name, source in zip(("system", *emu.SIM_SOURCES), sources, strict=True):
        runtime.append(ctx.output(f"runtime/{name}.o"))
        ctx.run(
            "SimCompile",
            emu.compile_argv(source, runtime[-1], include, ctx.attrs.defines),
            subject=f"{name}.cpp",
            cxx_sources=(source,),
            include_dirs=(include,),
            tools=(emu.COMPILER,),
        )
    image = ctx.output("kernels.so")
    ctx.run("VppLink", emu.link_argv(kernels.objects, runtime, image), tools=(emu.COMPILER,))
    return LinkInfo(image=image, hls=kernels.hls)
