"""Bind a traced model to a platform: engines, channels, FIFO depths, memory."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.limits import CHUNK, OTHER_PORTS, default_channels
from stbuild.providers import PartitionInfo, TraceInfo, WeightsInfo
from stbuild.steps.partition import Partition as PartitionStep


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Sizes of the machine; 0 leaves the choice to the platform's figures."""

    trace: TraceInfo
    weights: WeightsInfo
    channels: int = 0
    lanes: int = 0
    chunk: int = 0
    token_lanes: int = 0


@rule
def partition(ctx: Context[Partition]) -> PartitionInfo:
    """Fix the numerics and plan the dataflow."""
    attrs = ctx.attrs
    _check(ctx)
    graph, design, report = ctx.output("graph.json"), ctx.output("design.json"), ctx.output("report.txt")
    ctx.step(
        PartitionStep(
            traced=attrs.trace.graph,
            index=attrs.weights.index,
            formats=attrs.trace.formats,
            platform=ctx.platform,
            channels=attrs.channels,
            lanes=attrs.lanes,
            chunk=attrs.chunk,
            token_lanes=attrs.token_lanes,
            graph=graph,
            design=design,
            report=report,
        )
    )
    return PartitionInfo(graph=graph, design=design, report=report, trace=attrs.trace, weights=attrs.weights)


def _check(ctx: Context[Partition]) -> None:
    attrs, platform, context = ctx.attrs, ctx.platform, ctx.attrs.trace.context
    for name in ("channels", "lanes", "chunk", "token_lanes"):
        if getattr(attrs, name) < 0:
            ctx.fail(
                f"{name} takes 1 or more, or 0 for a default, got {getattr(attrs, name)}", attribute=name
            )
    most = min(platform.axi.limit - OTHER_PORTS, platform.memory.banks)
    if attrs.channels > most:
        ctx.fail(
            f"channels takes at most {most} on {platform.name}, got {attrs.channels}", attribute="channels"
        )
    usual = default_channels(
        banks=platform.memory.banks, ports=platform.axi.practical, slrs=len(platform.slrs)
    )
    channels = attrs.channels or usual
    if attrs.lanes and channels % attrs.lanes:
        ctx.fail(
            f"lanes takes a number that divides the {channels} channels, got {attrs.lanes}", attribute="lanes"
        )
    if attrs.chunk > context:
        ctx.fail(f"chunk takes at most the context of {context}, got {attrs.chunk}", attribute="chunk")
    chunk = attrs.chunk or CHUNK
    if attrs.token_lanes > chunk:
        ctx.fail(
            f"token_lanes takes at most the chunk of {chunk}, got {attrs.token_lanes}",
            attribute="token_lanes",
        )
