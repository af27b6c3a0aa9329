"""Measure the arithmetic of a model against float32 on English text."""

from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, Resources, rule
from stbuild.providers import TraceInfo, WeightsInfo
from stbuild.steps.accuracy import Accuracy as AccuracyStep


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Real weights with a tokenizer; `tokens` are scored in windows of `window`, teacher-forced."""

    trace: TraceInfo
    weights: WeightsInfo
    tokens: int = 3072
    window: int = 512


@rule
def accuracy(ctx: Context[Accuracy]) -> FilesInfo:
    """KL divergence, top-1 agreement and perplexity; fails when a gate is missed."""
    attrs = ctx.attrs
    if attrs.weights.source is None:
        ctx.fail(
            "accuracy is measured on real weights, and these are synthetic", hint="give the project weights"
        )
    for name, least in (("tokens", 2), ("window", 2)):
        if getattr(attrs, name) < least:
            ctx.fail(f"{name} takes {least} or more, got {getattr(attrs, name)}", attribute=name)
    report, summary = ctx.output("report.txt"), ctx.output("summary.json")
    figures = ctx.output("accuracy.json")
    trace, weights = attrs.trace, attrs.weights
    ctx.step(
        AccuracyStep(
            graph=trace.graph,
            tables=trace.tables,
            model=trace.model,
            merge_lora=trace.merge_lora,
            formats=trace.formats,
            source=weights.source,
            options=weights.options,
            tokenizer=weights.tokenizer,
            tokens=attrs.tokens,
            window=attrs.window,
            report=report,
            figures=figures,
            summary=summary,
        ),
        inputs=trace.srcs,
        resources=Resources(cpu=2, memory_mb=6000),
    )
    ctx.runnable(("cat", report))
    ctx.summary(summary)
    return FilesInfo(files=(report, figures))
