"""Load a bundle on the device and run the smoke prompts."""

from dataclasses import dataclass

from stbuild.api import Context, Policy, Resources, rule
from stbuild.providers import BundleInfo, SmokeInfo


@dataclass(frozen=True, kw_only=True)
class SmokeRun:
    """`prompts` are texts for a model with a tokenizer, `token_prompts` ids for one without.

    Where neither fits, the prompt is the first four ids of the vocabulary.
    """

    bundle: BundleInfo
    prompts: tuple[str, ...] = ()
    token_prompts: tuple[str, ...] = ()
    new_tokens: int = 16


@rule
def smoke_run(ctx: Context[SmokeRun]) -> SmokeInfo:
    """On the emulator the answer is cached like any other; a card always runs."""
    attrs = ctx.attrs
    run, tokens, measured = ctx.output_tree("run"), ctx.output("tokens.json"), ctx.output("measured.json")
    prompts = ctx.params(
        "prompts.json",
        {"texts": attrs.prompts, "tokens": attrs.token_prompts, "new_tokens": attrs.new_tokens},
    )
    ctx.stage(
        "stbuild.stage.smoke",
        ("--bundle", attrs.bundle.bundle, "--design", attrs.bundle.link.hls.partition.design,
         "--prompts", prompts, "--run", run, "--tokens", tokens, "--measured", measured),
        policy=Policy(resources=Resources(cpu=1, memory_mb=8000), cacheable=ctx.target == "sw_emu"),
    )  # fmt: skip
    return SmokeInfo(run=run, tokens=tokens, measured=measured, bundle=attrs.bundle)
