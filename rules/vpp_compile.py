"""Compile every kernel with the toolchain of the target."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import HlsInfo, KernelsInfo


@dataclass(frozen=True, kw_only=True)
class VppCompile:
    """`hls` gives the kernels; `defines` are macros such as `STB_TIMED=1`.

    `target` names another toolchain than that of `--target`: the timed network is always emulated.
    """

    hls: HlsInfo
    defines: tuple[str, ...] = ()
    target: str = ""


@rule
def vpp_compile(ctx: Context[VppCompile]) -> KernelsInfo:
    """One action per kernel, keyed on its text and the headers it reaches."""
    attrs = ctx.attrs
    kernels: KernelsInfo = ctx.toolchain(attrs.target).compile(ctx, attrs.hls, attrs.defines)
    return kernels
