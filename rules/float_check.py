"""Check a model, its graph and the card's integers against each other, in floats."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, Tree, rule
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
    verdict = ctx.output("verdict.txt")
    found = FloatCheckInfo(report=report, summary=summary, verdict=verdict)
    outputs = ("--report", report, "--summary", summary, "--verdict", verdict)
    ctx.runnable(("cat", report))
    ctx.summary(summary)
    if isinstance(trace.model, Tree):
        ctx.stage("stbuild.stage.not_compared", outputs)
        return found
    merge = ("--merge-lora",) if trace.merge_lora else ()
    source = ("--source", weights.source) if weights.source else ()
    ctx.stage(
        "stbuild.stage.float_check",
        ("--graph", trace.graph, "--tables", trace.tables, "--lines", trace.lines, "--model", trace.model,
         "--options", weights.options, "--tokenizer", weights.tokenizer, *source, *merge,
         *trace.format_args, *outputs),
        inputs=trace.srcs,
        resources=Resources(cpu=2, memory_mb=6000),
    )  # fmt: skip
    return found
