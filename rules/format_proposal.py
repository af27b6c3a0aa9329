"""Propose fraction bits for a model from the ranges that its values have with its weights."""

from dataclasses import dataclass

from stbuild.api import Context, FilesInfo, Resources, rule
from stbuild.providers import TraceInfo, WeightsInfo
from stbuild.steps.formats import Formats


@dataclass(frozen=True, kw_only=True)
class FormatProposal:
    """`trace` gives the model and its graph, `weights` the numbers; the project's formats are not read."""

    trace: TraceInfo
    weights: WeightsInfo


@rule
def format_proposal(ctx: Context[FormatProposal]) -> FilesInfo:
    """Running the target prints the file for the attribute `formats`."""
    trace, weights = ctx.attrs.trace, ctx.attrs.weights
    out, report, summary = ctx.output("formats.json"), ctx.output("report.txt"), ctx.output("summary.json")
    ctx.step(
        Formats(
            graph=trace.graph,
            tables=trace.tables,
            lines=trace.lines,
            model=trace.model,
            merge_lora=trace.merge_lora,
            source=weights.source,
            options=weights.options,
            tokenizer=weights.tokenizer,
            formats=out,
            report=report,
            summary=summary,
        ),
        inputs=trace.srcs,
        resources=Resources(cpu=2, memory_mb=6000),
    )
    ctx.runnable(("cat", out))
    ctx.summary(summary)
    return FilesInfo(files=(out, report))
