"""Generate the HLS C++ of a design."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import HlsInfo, PartitionInfo


@dataclass(frozen=True, kw_only=True)
class HlsGenerate:
    """`partition` gives the design."""

    partition: PartitionInfo


@rule
def hls_generate(ctx: Context[HlsGenerate]) -> HlsInfo:
    """Write one file per kernel, and how they are joined."""
    kernels, cfg, system = ctx.output_tree("kernels"), ctx.output("link.cfg"), ctx.output("system.cpp")
    params = ctx.params("params.json", {"platform": ctx.platform})
    ctx.stage(
        "stbuild.stage.hls",
        ("--design", ctx.attrs.partition.design, "--params", params,
         "--kernels", kernels, "--cfg", cfg, "--system", system),
    )  # fmt: skip
    return HlsInfo(kernels=kernels, cfg=cfg, system=system, partition=ctx.attrs.partition)
