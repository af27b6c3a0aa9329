"""Pack weights for the card's channels and make the bundle that a device loads."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import BundleInfo, LinkInfo
from stbuild.steps.pack import Pack
from stbuild.steps.package import Package


@dataclass(frozen=True, kw_only=True)
class XclbinPackage:
    """`link` gives the kernel image; `system` is the message that conversations begin with."""

    link: LinkInfo
    system: str = ""


@rule
def xclbin_package(ctx: Context[XclbinPackage]) -> BundleInfo:
    """Weights are an action of their own: a new image does not pack them again."""
    link = ctx.attrs.link
    plan = link.hls.partition
    weights = plan.weights
    if ctx.attrs.system and weights.source is None:
        ctx.fail(
            "a system message needs a chat template, and synthetic weights have none",
            attribute="system",
            hint="give `weights` that have one, or leave `system` out",
        )
    memory, bundle = ctx.output_tree("memory"), ctx.output_tree("bundle")
    ctx.step(
        Pack(
            design=plan.design,
            tables=plan.trace.tables,
            source=weights.source,
            options=weights.options,
            memory=memory,
        ),
        resources=Resources(cpu=2, memory_mb=2500),
    )
    ctx.step(
        Package(
            design=plan.design,
            index=weights.index,
            platform=ctx.platform,
            target=ctx.toolchain().name,
            system=ctx.attrs.system,
            cpu=ctx.cpu,
            image=link.image,
            xclbin=link.xclbin,
            link_report=link.report,
            beside=link.beside,
            memory=memory,
            tokenizer=weights.tokenizer,
            bundle=bundle,
        )
    )
    return BundleInfo(bundle=bundle, link=link, system=ctx.attrs.system)
