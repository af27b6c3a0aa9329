"""Bind a traced model to a platform: engines, channels, FIFO depths, memory."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import PartitionInfo, TraceInfo, WeightsInfo


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
    wishes = {
        "channels": attrs.channels,
        "lanes": attrs.lanes,
        "chunk": attrs.chunk,
        "token_lanes": attrs.token_lanes,
    }
    graph, design, report = ctx.output("graph.json"), ctx.output("design.json"), ctx.output("report.txt")
    params = ctx.params("params.json", {"platform": ctx.platform, "wishes": wishes})
    ctx.stage(
        "stbuild.stage.partition",
        ("--graph", attrs.trace.graph, "--index", attrs.weights.index, "--params", params,
         "--out-graph", graph, "--out-design", design, "--report", report),
    )  # fmt: skip
    return PartitionInfo(graph=graph, design=design, report=report, trace=attrs.trace, weights=attrs.weights)
