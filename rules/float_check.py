"""Check a model, its graph and the card's integers against each other, in floats."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import FloatCheckInfo, TraceInfo, WeightsInfo
from stbuild.steps.float_check import FloatCheck as FloatCheckStep


@dataclass(frozen=True, kw_only=True)
class FloatCheck:
    """`trace` gives the model and its graph, `weights` the numbers that both hold."""

    trace: TraceInfo
    weights: WeightsInfo


@rule
def float_check(ctx: Context[FloatCheck]) -> FloatCheckInfo:
    """Fails with the first op that differs when the graph is not the model, or the integers not the graph."""
    trace, weights = ctx.attrs.trace, ctx.attrs.weights
    report, summary = ctx.output("report.txt"), ctx.output("summary.json")
    verdict = ctx.output("verdict.txt")
    ctx.runnable(("cat", report))
    ctx.summary(summary)
    ctx.step(
        FloatCheckStep(
            graph=trace.graph,
            tables=trace.tables,
            lines=trace.lines,
            model=trace.model,
            merge_lora=trace.merge_lora,
            formats=trace.formats,
            source=weights.source,
            options=weights.options,
            tokenizer=weights.tokenizer,
            report=report,
            summary=summary,
            verdict=verdict,
        ),
        inputs=trace.srcs,
        resources=Resources(cpu=2, memory_mb=6000),
    )
    return FloatCheckInfo(report=report, summary=summary, verdict=verdict)
