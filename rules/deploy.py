"""Check a deployment against the reference and report it."""

from dataclasses import dataclass

from stbuild.api import Context, rule
from stbuild.providers import DeployInfo, FloatCheckInfo, ReferenceInfo


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """`reference` gives what the device should have said, `check` that this is near the model itself."""

    reference: ReferenceInfo
    check: FloatCheckInfo


@rule
def deploy(ctx: Context[Deploy]) -> DeployInfo:
    """Tokens, hidden states and logits must be equal to the bit."""
    smoke = ctx.attrs.reference.smoke
    report, summary = ctx.output("report.txt"), ctx.output("summary.json")
    where = f"{ctx.label.package}:xclbin"
    params = ctx.params("params.json", {"bundle": where})
    index = smoke.bundle.link.hls.partition.weights.index
    link = smoke.bundle.link.report
    linked = ("--link-report", link) if link else ()
    inputs = ("--index", index, "--run", smoke.run, "--expected", ctx.attrs.reference.expected,
              *linked)  # fmt: skip
    outputs = ("--params", params, "--report", report, "--summary", summary)
    ctx.stage("stbuild.stage.deploy", (*inputs, *outputs), inputs=(ctx.attrs.check.verdict,))
    ctx.summary(summary, ctx.attrs.check.summary, smoke.measured)
    return DeployInfo(report=report, summary=summary)
