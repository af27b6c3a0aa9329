"""Check a deployment against the reference and report it."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import DeployInfo, FloatCheckInfo, ReferenceInfo
from stbuild.steps.deploy import Deploy as DeployStep


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """`reference` gives the expected results, `check` proves that they are close to the model itself."""

    reference: ReferenceInfo
    check: FloatCheckInfo


@rule
def deploy(ctx: Context[Deploy]) -> DeployInfo:
    """Tokens, hidden states and logits must be equal to the bit."""
    smoke = ctx.attrs.reference.smoke
    report, summary = ctx.output("report.txt"), ctx.output("summary.json")
    link = smoke.bundle.link
    ctx.step(
        DeployStep(
            index=link.hls.partition.weights.index,
            records=smoke.run,
            expected=ctx.attrs.reference.expected,
            verdict=ctx.attrs.check.verdict,
            link_report=link.report,
            bundle=f"{ctx.label.package}:xclbin",
            report=report,
            summary=summary,
        )
    )
    ctx.summary(summary, ctx.attrs.check.summary, smoke.measured)
    return DeployInfo(report=report, summary=summary)
