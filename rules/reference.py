"""What the PyTorch reference says to the device's tokens."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import ReferenceInfo, SmokeInfo


@dataclass(frozen=True, kw_only=True)
class Reference:
    """`smoke` gives the tokens; the reference is teacher-forced over them, one pass per prompt."""

    smoke: SmokeInfo


@rule
def reference(ctx: Context[Reference]) -> ReferenceInfo:
    """Interpret the graph in exact integers; the same tokens of another image need no new run."""
    smoke = ctx.attrs.smoke
    plan = smoke.bundle.link.hls.partition
    weights = plan.weights
    expected = ctx.output_tree("expected")
    source = ("--source", weights.source) if weights.source else ()
    ctx.stage(
        "stbuild.stage.reference",
        ("--graph", plan.graph, "--tables", plan.trace.tables, "--options", weights.options, *source,
         "--tokens", smoke.tokens, "--expected", expected),
        resources=Resources(cpu=2, memory_mb=8000),
    )  # fmt: skip
    return ReferenceInfo(expected=expected, smoke=smoke)
