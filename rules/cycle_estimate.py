"""Simulate how many cycles a decode step and a prefill take on the platform."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import BundleInfo, CyclesInfo, LinkInfo
from stbuild.steps.cycles import Cycles


@dataclass(frozen=True, kw_only=True)
class CycleEstimate:
    """`bundle` gives the memory, `link` the same kernels compiled and linked with STB_TIMED=1."""

    bundle: BundleInfo
    link: LinkInfo


@rule
def cycle_estimate(ctx: Context[CycleEstimate]) -> CyclesInfo:
    """Run the time-stamped network with the platform's memory bandwidth."""
    attrs = ctx.attrs
    if attrs.link.hls.partition.trace.context < 2:
        ctx.fail("cycles need a context of 2 or more: a prompt, and a token to decode", attribute="context")
    if attrs.link.image is None:
        ctx.fail("cycles are counted by an emulated image, and this link makes none", attribute="link",
                 hint="give its targets `target: sw_emu`")  # fmt: skip
    cycles, report, summary = ctx.output("cycles.json"), ctx.output("report.txt"), ctx.output("summary.json")
    ctx.step(
        Cycles(
            bundle=attrs.bundle.bundle,
            image=attrs.link.image,
            design=attrs.link.hls.partition.design,
            platform=ctx.platform,
            cycles=cycles,
            report=report,
            summary=summary,
        ),
        resources=Resources(cpu=1, memory_mb=8000),
    )
    ctx.summary(summary)
    ctx.runnable(("cat", report))
    return CyclesInfo(cycles=cycles, report=report)
