"""Pack weights for the card's channels and make the bundle that a device loads."""

from dataclasses import dataclass

from stbuild.api import Context, File, Resources, rule
from stbuild.providers import BundleInfo, LinkInfo


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
    settings = {"platform": ctx.platform, "target": ctx.target, "system": ctx.attrs.system, "cpu": ctx.cpu}
    params = ctx.params("params.json", settings)
    source = ("--source", weights.source) if weights.source else ()
    ctx.stage(
        "stbuild.stage.pack",
        ("--design", plan.design, "--tables", plan.trace.tables,
         "--options", weights.options, *source, "--memory", memory),
        resources=Resources(cpu=2, memory_mb=2500),
    )  # fmt: skip
    ctx.stage(
        "stbuild.stage.package",
        ("--design", plan.design, "--index", weights.index, "--params", params, *_linked(link),
         "--memory", memory, "--tokenizer", weights.tokenizer, "--bundle", bundle),
    )  # fmt: skip
    return BundleInfo(bundle=bundle, link=link, system=ctx.attrs.system)


def _linked(link: LinkInfo) -> list[str | File]:
    """The arguments for what the linker gives."""
    given = (("--image", link.image), ("--xclbin", link.xclbin), ("--link-report", link.report))
    found = [*given, *(("--beside", file) for file in link.beside)]
    return [each for option, file in found if file is not None for each in (option, file)]
