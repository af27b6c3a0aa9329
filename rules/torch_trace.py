"""Export a PyTorch model and lower it to the tensor graph."""

from dataclasses import dataclass

from stbuild.api import Context, File, Resources, Tree, rule
from stbuild.limits import MAX_CONTEXT
from stbuild.providers import TraceInfo
from stbuild.steps.trace import Trace

EXPORTED = ".exported"
"""The ending of a folder with exported programs."""


@dataclass(frozen=True, kw_only=True)
class TorchTrace:
    """`model` is a file that defines `model() -> nn.Module`; `context` the positions of the KV cache.

    `srcs` are the files that it imports or reads, such as a config.json. `formats` is a JSON file with the
    graph's fraction bits where they are not the usual ones, for the steps behind this one. `merge_lora` adds
    the low-rank products of LoRA modules to the matrices beside them.
    A folder `*.exported` has a module that the library has exported in the process that made it.
    """

    model: File
    srcs: tuple[File, ...] = ()
    context: int = 2048
    formats: File | None = None
    merge_lora: bool = False


@rule
def torch_trace(ctx: Context[TorchTrace]) -> TraceInfo:
    """Run torch.export on the meta device; weights are never needed."""
    attrs = ctx.attrs
    _check(ctx)
    graph, tables = ctx.output("graph.json"), ctx.output("tables.safetensors")
    text, names, lines = ctx.output("graph.txt"), ctx.output("names.json"), ctx.output("lines.json")
    name = ctx.label.package.rpartition("/")[2]
    ctx.step(
        Trace(
            model=attrs.model,
            context=attrs.context,
            name=name,
            merge_lora=attrs.merge_lora,
            graph=graph,
            tables=tables,
            names=names,
            lines=lines,
            text=text,
        ),
        inputs=attrs.srcs,
        resources=Resources(cpu=2, memory_mb=2000),
    )
    return TraceInfo(
        graph=graph, tables=tables, names=names, lines=lines, model=attrs.model, context=attrs.context,
        srcs=attrs.srcs, formats=attrs.formats, merge_lora=attrs.merge_lora,
    )  # fmt: skip


def _check(ctx: Context[TorchTrace]) -> None:
    model, context, formats = ctx.attrs.model, ctx.attrs.context, ctx.attrs.formats
    if formats and (isinstance(formats, Tree) or not formats.name.endswith(".json")):
        ctx.fail(f"formats takes a JSON file, got {formats.name}", attribute="formats")
    if isinstance(model, Tree) and not model.name.endswith(EXPORTED):
        ctx.fail(f"model takes a Python file, {model.real or model.path} is a folder", attribute="model")
    if not isinstance(model, Tree) and not model.name.endswith(".py"):
        ctx.fail(f"model takes a Python file, got {model.name}", attribute="model")
    if not 1 <= context <= MAX_CONTEXT:
        ctx.fail(f"context takes 1 to {MAX_CONTEXT:,} positions, got {context:,}", attribute="context")
