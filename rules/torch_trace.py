"""Export a PyTorch model and lower it to the tensor graph."""

from dataclasses import dataclass

from stbuild.api import Context, File, Resources, rule
from stbuild.providers import TraceInfo


@dataclass(frozen=True, kw_only=True)
class TorchTrace:
    """`model` is a file that defines `model() -> nn.Module`; `context` the positions of the KV cache.

    `srcs` are the files that it imports or reads, such as a config.json.
    """

    model: File
    srcs: tuple[File, ...] = ()
    context: int = 2048


@rule
def torch_trace(ctx: Context[TorchTrace]) -> TraceInfo:
    """Run torch.export on the meta device; weights are never needed."""
    if ctx.attrs.context < 1:
        ctx.fail(f"a context of {ctx.attrs.context} positions holds no token", attribute="context")
    graph, tables = ctx.output("graph.json"), ctx.output("tables.safetensors")
    text, names, lines = ctx.output("graph.txt"), ctx.output("names.json"), ctx.output("lines.json")
    name = ctx.label.package.rpartition("/")[2]
    ctx.stage(
        "stbuild.stage.trace",
        ("--model", ctx.attrs.model, "--context", ctx.attrs.context, "--name", name,
         "--names", names, "--lines", lines, "--graph", graph, "--tables", tables, "--text", text),
        inputs=ctx.attrs.srcs,
        resources=Resources(cpu=2, memory_mb=2000),
    )  # fmt: skip
    return TraceInfo(graph=graph, tables=tables, names=names, lines=lines, model=ctx.attrs.model,
                     srcs=ctx.attrs.srcs)  # fmt: skip
