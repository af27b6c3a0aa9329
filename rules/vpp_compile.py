"""Compile every kernel: with g++ for sw_emu; v++ comes later."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import HlsInfo, KernelsInfo
from stbuild.toolchain import emu


@dataclass(frozen=True, kw_only=True)
class VppCompile:
    """`hls` gives the kernels; `defines` are macros such as `STB_TIMED=1`."""

    hls: HlsInfo
    defines: tuple[str, ...] = ()


@rule
def vpp_compile(ctx: Context[VppCompile]) -> KernelsInfo:
    """One action per kernel, keyed on its text and the headers it reaches."""
    hls = ctx.attrs.hls
    objects = ctx.output_tree("objects")
    if ctx.target != "sw_emu":
        args = ("--target", ctx.target, "--cfg", hls.cfg)
        ctx.stage("stbuild.stage.no_vitis", args, inputs=(hls.kernels,), outputs=(objects,))
        return KernelsInfo(objects=objects, hls=hls)
    include = ctx.builtin("hls_lib/include")
    ctx.run_each(
        "VppCompile",
        over=hls.kernels,
        pattern="*.cpp",
        argv=lambda item, out: emu.compile_argv(item, out, include, ctx.attrs.defines),
        out_tree=objects,
        out_suffix=".o",
        include_dirs=(include,),
        tools=(emu.COMPILER,),
    )
    return KernelsInfo(objects=objects, hls=hls)
