"""Load a bundle on the device and run the smoke prompts."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import BundleInfo, SmokeInfo
from stbuild.steps.prompts import Prompts, SmokePrompts
from stbuild.steps.smoke import Smoke


@dataclass(frozen=True, kw_only=True)
class SmokeRun:
    """`prompts` are texts, which need weights with a tokenizer; `token_prompts` are ids such as "1 450 7".

    All are run, `new_tokens` after each. Without either, the prompt is the first four ids of the vocabulary.
    """

    bundle: BundleInfo
    prompts: tuple[str, ...] = ()
    token_prompts: tuple[str, ...] = ()
    new_tokens: int = 16


@rule
def smoke_run(ctx: Context[SmokeRun]) -> SmokeInfo:
    """The device is the emulated card, whatever the target, so the answer is cached like any other."""
    attrs = ctx.attrs
    _check(ctx)
    plan = attrs.bundle.link.hls.partition
    wanted = SmokePrompts(
        texts=attrs.prompts,
        tokens=tuple(_ids(ctx, text) for text in attrs.token_prompts),
        new_tokens=attrs.new_tokens,
        system=attrs.bundle.system,
    )
    prompts, run = ctx.output("prompts.json"), ctx.output_tree("run")
    tokens, measured = ctx.output("tokens.json"), ctx.output("measured.json")
    ctx.step(
        Prompts(graph=plan.trace.graph, tokenizer=plan.weights.tokenizer, wanted=wanted, prompts=prompts)
    )
    ctx.step(
        Smoke(
            bundle=attrs.bundle.bundle,
            design=plan.design,
            prompts=prompts,
            records=run,
            tokens=tokens,
            measured=measured,
        ),
        resources=Resources(cpu=1, memory_mb=8000),
    )
    return SmokeInfo(run=run, tokens=tokens, measured=measured, bundle=attrs.bundle)


def _check(ctx: Context[SmokeRun]) -> None:
    attrs, plan = ctx.attrs, ctx.attrs.bundle.link.hls.partition
    context = plan.trace.context
    if not 1 <= attrs.new_tokens <= context:
        ctx.fail(
            f"new_tokens takes 1 to {context:,}, the context, got {attrs.new_tokens:,}",
            attribute="new_tokens",
        )
    if attrs.prompts and plan.weights.source is None:
        ctx.fail(
            "prompts need a tokenizer, and synthetic weights have none",
            attribute="prompts",
            hint="give `weights` that have one, or token ids in `token_prompts`",
        )
    if not all(text.strip() for text in attrs.prompts):
        ctx.fail("prompts holds an empty text", attribute="prompts")
    new = attrs.new_tokens
    for text in attrs.token_prompts:
        count = len(_ids(ctx, text))
        if count + new - 1 > context:
            ctx.fail(
                f"a prompt of {count} tokens and {new} new ones do not fit a context of {context}",
                attribute="token_prompts",
                hint="shorten the prompt, lower `new_tokens` or raise `context`",
            )


def _ids(ctx: Context[SmokeRun], text: str) -> tuple[int, ...]:
    words = text.split()
    if not words or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        hint = 'write ids with spaces between: "1 450 7483"'
        ctx.fail(f"token_prompts takes token ids, got {text!r}", attribute="token_prompts", hint=hint)
    return tuple(map(int, words))
