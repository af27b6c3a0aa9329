"""Check a model, its graph and the card's integers against each other, in floats."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import FloatCheckInfo, TraceInfo, WeightsInfo


@dataclass(frozen=True, kw_only=True)
class FloatCheck:
    """`trace` gives the model and its graph, `weights` the numbers that both hold."""

    trace: TraceInfo
    weights: WeightsInfo


@rule
def float_check(ctx: Context[FloatCheck]) -> FloatCheckInfo:
    """Fails with the first op that departs when the graph is not the model, or the integers not the graph."""
    trace, weights = ctx.attrs.trace, ctx.attrs.weights
    report, summary = ctx.output("report.txt"), ctx.output("summary.json")
    merge = ("--merge-lora",) if trace.merge_lora else ()
    source = ("--source", weights.source) if weights.source else ()
    ctx.stage(
        "stbuild.stage.float_check",
        ("--graph", trace.graph, "--tables", trace.tables, "--lines", trace.lines, "--model", trace.model,
         "--options", weights.options, "--tokenizer", weights.tokenizer, *source, *merge,
         "--report", report, "--summary", summary),
        inputs=trace.srcs,
        resources=Resources(cpu=2, memory_mb=6000),
    )  # fmt: skip
    ctx.runnable(("cat", report))
    ctx.summary(summary)
    return FloatCheckInfo(report=report, summary=summary)
