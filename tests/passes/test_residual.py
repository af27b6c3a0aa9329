"""The residual stream is what blocks hand on, and the sums that it is made of."""

import pytest

from stbuild.ir.types import ACTIVATION_FRAC, RESIDUAL_FRAC
from stbuild.ops.add import Add
from stbuild.passes.residual import residual_values
from tests.passes.designs import graph_of
from tests.reference.small import Variant, small_graph


@pytest.mark.parametrize(
    ("variant", "values"),
    [
        (Variant(), {"y", "h", "o", "down"}),
        (Variant(bias=True), {"y", "h", "o", "o_w", "down", "down_w"}),
        (Variant(after_norm=True), {"y", "h", "an", "down"}),
        (Variant(parallel=True), {"y", "both", "o", "down"}),
    ],
)
def test_the_residual_stream_of_a_layer(variant: Variant, values: set[str]) -> None:
    graph, _ = small_graph(variant)
    assert residual_values(graph.blocks[1]) == values


def test_its_values_alone_have_its_fraction_bits() -> None:
    block = graph_of(Variant()).blocks[1]
    fracs = {op.name: op.frac for op in block.ops}
    assert {fracs[name] for name in ("y", "h", "o", "down")} == {RESIDUAL_FRAC}
    assert {fracs[name] for name in ("q", "k", "v", "up", "gated", "n1")} == {ACTIVATION_FRAC}
    for op in block.ops:
        if isinstance(op, Add):
            assert {fracs.get(name, RESIDUAL_FRAC) for name in op.operands} == {op.frac}
