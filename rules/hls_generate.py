"""Generate the HLS C++ of a design."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import HlsInfo, PartitionInfo
from stbuild.steps.hls import Hls


@dataclass(frozen=True, kw_only=True)
class HlsGenerate:
    """`partition` gives the design."""

    partition: PartitionInfo


@rule
def hls_generate(ctx: Context[HlsGenerate]) -> HlsInfo:
    """Write one file per kernel, and how they are joined."""
    kernels, cfg, system = ctx.output_tree("kernels"), ctx.output("link.cfg"), ctx.output("system.cpp")
    ctx.step(
        Hls(
            design=ctx.attrs.partition.design,
            platform=ctx.platform,
            kernels=kernels,
            cfg=cfg,
            system=system,
        )
    )
    return HlsInfo(kernels=kernels, cfg=cfg, system=system, partition=ctx.attrs.partition)
