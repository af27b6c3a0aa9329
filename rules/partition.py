"""Bind a traced model to a platform: engines, channels, FIFO depths, memory."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.limits import CHUNK, most_channels
from stbuild.providers import PartitionInfo, TraceInfo, WeightsInfo
from stbuild.steps.partition import Partition as PartitionStep


@dataclass(frozen=True, kw_only=True)
class Partition:
    """Sizes of the machine; 0 leaves the choice to the platform's figures.

    `depths` are words of FIFOs by the names of their streams, which report.txt lists.
    """

    trace: TraceInfo
    weights: WeightsInfo
    channels: int = 0
    lanes: int = 0
    chunk: int = 0
    token_lanes: int = 0
    batch: int = 0
    clock_mhz: int = 0
    depths: dict[str, int] | None = None


@rule
def partition(ctx: Context[Partition]) -> PartitionInfo:
    """Fix the numerics and plan the dataflow."""
    attrs = ctx.attrs
    _check(ctx)
    graph, design, report = ctx.output("graph.json"), ctx.output("design.json"), ctx.output("report.txt")
    resources, area = ctx.output("resources.json"), ctx.output("resources.txt")
    summary = ctx.output("summary.json")
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
            batch=attrs.batch,
            clock_mhz=attrs.clock_mhz,
            depths=tuple(f"{stream}={words}" for stream, words in (attrs.depths or {}).items()),
            graph=graph,
            design=design,
            report=report,
            resources=resources,
            area=area,
            summary=summary,
        )
    )
    ctx.summary(summary)
    return PartitionInfo(
        graph=graph,
        design=design,
        report=report,
        resources=resources,
        area=area,
        summary=summary,
        trace=attrs.trace,
        weights=attrs.weights,
    )


def _check(ctx: Context[Partition]) -> None:
    attrs, platform, context = ctx.attrs, ctx.platform, ctx.attrs.trace.context
    for name in ("channels", "lanes", "chunk", "token_lanes", "batch", "clock_mhz"):
        if getattr(attrs, name) < 0:
            ctx.fail(
                f"{name} takes 1 or more, or 0 for a default, got {getattr(attrs, name)}", attribute=name
            )
    _check_by_hand(ctx)
    most = most_channels(banks=platform.memory.banks, ports=platform.axi.limit)
    if attrs.channels > most:
        ctx.fail(
            f"channels takes at most {most} on {platform.name}, got {attrs.channels}", attribute="channels"
        )
    channels = attrs.channels or most
    if attrs.lanes > channels:
        ctx.fail(f"lanes takes at most the {channels} channels, got {attrs.lanes}", attribute="lanes")
    if attrs.chunk > context:
        ctx.fail(f"chunk takes at most the context of {context}, got {attrs.chunk}", attribute="chunk")
    chunk = attrs.chunk or min(CHUNK, context)
    if attrs.batch > chunk:
        ctx.fail(f"batch takes at most the chunk of {chunk}, got {attrs.batch}", attribute="batch")
    share, most = ("batch", attrs.batch) if attrs.batch else ("chunk", chunk)
    if attrs.token_lanes > most:
        ctx.fail(
            f"token_lanes takes at most the {share} of {most}, got {attrs.token_lanes}",
            attribute="token_lanes",
        )


def _check_by_hand(ctx: Context[Partition]) -> None:
    """A clock that kernels can have; FIFOs of a word or more."""
    attrs, fastest = ctx.attrs, ctx.platform.clocks.second_mhz
    if attrs.clock_mhz > fastest:
        ctx.fail(
            f"clock_mhz takes at most {fastest} on {ctx.platform.name}, got {attrs.clock_mhz}",
            attribute="clock_mhz",
            hint=f"the shell's fastest kernel clock is {fastest} MHz",
        )
    for stream, words in (attrs.depths or {}).items():
        if words < 1:
            ctx.fail(f"depths: {stream} takes 1 word or more, got {words}", attribute="depths",
                     hint="leave it out, and the compiler chooses")  # fmt: skip
