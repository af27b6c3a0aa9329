"""Bring a checkpoint into the build: its index, and its tokenizer."""

from dataclasses import dataclass

from stbuild.api import Context, File, Tree, rule
from stbuild.limits import GROUPS
from stbuild.providers import TraceInfo, WeightsInfo
from stbuild.steps.weights import Weights

SUFFIXES = (".gguf", ".safetensors")
"""Of the files that weights are read from."""


@dataclass(frozen=True, kw_only=True)
class ModelWeights:
    """`weights` is a GGUF file, a safetensors file or a Hugging Face folder; without it, they are synthetic.

    Synthetic weights depend on `seed`. Floats are quantised to 4 bits in groups of `group` columns, the LM
    head to 8 bits.
    """

    trace: TraceInfo
    weights: File | None = None
    group: int = 128
    seed: int = 0


@rule
def model_weights(ctx: Context[ModelWeights]) -> WeightsInfo:
    """Read names, shapes and formats; values are read when they are packed."""
    attrs = ctx.attrs
    _check(ctx)
    index, options, tokenizer = (
        ctx.output("index.json"),
        ctx.output("options.json"),
        ctx.output_tree("tokenizer"),
    )
    ctx.step(
        Weights(
            graph=attrs.trace.graph,
            tables=attrs.trace.tables,
            names=attrs.trace.names,
            source=attrs.weights,
            group=attrs.group,
            seed=attrs.seed,
            index=index,
            options=options,
            tokenizer=tokenizer,
        )
    )
    return WeightsInfo(index=index, source=attrs.weights, options=options, tokenizer=tokenizer)


def _check(ctx: Context[ModelWeights]) -> None:
    weights, group = ctx.attrs.weights, ctx.attrs.group
    if group not in GROUPS:
        ctx.fail(
            f"group takes {', '.join(map(str, GROUPS[:-1]))} or {GROUPS[-1]}, got {group}", attribute="group"
        )
    if weights and not isinstance(weights, Tree) and weights.suffix not in SUFFIXES:
        ctx.fail(
            f"weights with the ending {weights.suffix!r} cannot be read",
            attribute="weights",
            hint="give a .gguf file, a .safetensors file or a Hugging Face folder",
        )
