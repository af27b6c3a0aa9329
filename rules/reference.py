"""The PyTorch reference's results for the device's tokens."""

from dataclasses import dataclass

from stbuild.api import Context, Resources, rule
from stbuild.providers import ReferenceInfo, SmokeInfo
from stbuild.steps.reference import Reference as ReferenceStep


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
    ctx.step(
        ReferenceStep(
            graph=plan.graph,
            tables=plan.trace.tables,
            source=weights.source,
            options=weights.options,
            tokens=smoke.tokens,
            expected=expected,
        ),
        resources=Resources(cpu=2, memory_mb=8000),
    )
    return ReferenceInfo(expected=expected, smoke=smoke)
