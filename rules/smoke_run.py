"""Load a bundle on the device and run the smoke prompts."""

from dataclasses import dataclass

from stbuild.api import Context, Policy, Resources, rule
from stbuild.providers import BundleInfo, SmokeInfo
from stbuild.steps.prompts import Prompts, SmokePrompts
from stbuild.steps.smoke import LEASE_VARIABLES, Smoke, lease_folder

XRT_VARIABLES = ("XILINX_XRT", "XILINX_VITIS", "LD_LIBRARY_PATH")
XRT_FOLDERS = ("/opt/xilinx", "/sys")
"""Where AMD's packages put XRT, and where the kernel's driver shows its cards."""


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
    """The target's toolchain says what it runs on: the emulated card, or a card, which is asked each time."""
    attrs = ctx.attrs
    _check(ctx)
    toolchain, device = ctx.toolchain(), _device(ctx)
    emulated = toolchain.device_model if device != "native" else None
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
            device=device,
            model=emulated(ctx) if emulated else None,
        ),
        policy=_policy(device, on_card=toolchain.on_card),
    )
    return SmokeInfo(run=run, tokens=tokens, measured=measured, bundle=attrs.bundle)


def _device(ctx: Context[SmokeRun]) -> str:
    """What the target's image runs on: a card that is there as the workspace or the build chooses it."""
    toolchain = ctx.toolchain()
    if not toolchain.on_card:
        return "xrt:0" if toolchain.device == "xrt" else "native"
    if ctx.device and ctx.device != "native" and not ctx.device.startswith("xrt:"):
        ctx.fail(
            f"[tool.stbuild] device takes native or a card, got {ctx.device!r}",
            hint="`stbuild devices` lists what there is, such as xrt:0",
        )
    return ctx.device or "xrt"


def _policy(device: str, *, on_card: bool) -> Policy:
    """An emulated card's answer is cached; a card is asked each time, by one action at a time."""
    if device == "native":
        return Policy(resources=Resources(cpu=1, memory_mb=8000))
    return Policy(
        resources=Resources(cpu=1, memory_mb=8000, named=(("card", 1),) if on_card else ()),
        cacheable=not on_card,
        network=True,
        pass_env=(*XRT_VARIABLES, *LEASE_VARIABLES),
        reads=XRT_FOLDERS,
        writes=("/tmp", lease_folder()) if on_card else ("/tmp",),
    )


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
