"""Bring a checkpoint into the build: its index, and its tokenizer."""

from dataclasses import dataclass

from stbuild.api import Context, File, rule
from stbuild.providers import TraceInfo, WeightsInfo


@dataclass(frozen=True, kw_only=True)
class ModelWeights:
    """`source` is a GGUF file or a Hugging Face folder; without it, weights are drawn from `seed`.

    Floats are quantised to 4 bits in groups of `group` columns, the LM head to 8 bits.
    """

    trace: TraceInfo
    source: File | None = None
    group: int = 128
    seed: int = 0


@rule
def model_weights(ctx: Context[ModelWeights]) -> WeightsInfo:
    """Read names, shapes and formats; values are read when they are packed."""
    attrs = ctx.attrs
    index, options, tokenizer = (
        ctx.output("index.json"),
        ctx.output("options.json"),
        ctx.output_tree("tokenizer"),
    )
    wanted = ctx.params("wanted.json", {"group": attrs.group, "seed": attrs.seed})
    source = ("--source", attrs.source) if attrs.source else ()
    inputs = ("--graph", attrs.trace.graph, "--wanted", wanted, "--names", attrs.trace.names, *source)
    outputs = ("--index", index, "--options", options, "--tokenizer", tokenizer)
    ctx.stage("stbuild.stage.weights", (*inputs, *outputs))
    return WeightsInfo(index=index, source=attrs.source, options=options, tokenizer=tokenizer)
