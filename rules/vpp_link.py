"""Link compiled kernels into an image with the toolchain of the target."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import KernelsInfo, LinkInfo


@dataclass(frozen=True, kw_only=True)
class VppLink:
    """`kernels` gives the objects; `defines` and `target` must be theirs."""

    kernels: KernelsInfo
    defines: tuple[str, ...] = ()
    target: str = ""


@rule
def vpp_link(ctx: Context[VppLink]) -> LinkInfo:
    """Join the kernels as the design's linker configuration says."""
    attrs = ctx.attrs
    linked: LinkInfo = ctx.toolchain(attrs.target).link(ctx, attrs.kernels, attrs.defines)
    return linked
