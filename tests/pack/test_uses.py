"""A design says what it wants of a checkpoint just as the graph that it was made of."""

import pytest

from stbuild.frontend.weights import uses_of
from tests.passes.designs import design_of, graph_of
from tests.reference.small import Variant

VARIANTS = (
    Variant(),
    Variant(center=True, bias=True, parallel=True, gated=False),
    Variant(rotary=0, positions=True, scaled=True, head_norm=True),
)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("group", [32, 128])
def test_a_design_uses_what_its_graph_uses(variant: Variant, group: int) -> None:
    assert uses_of(design_of(variant), group) == uses_of(graph_of(variant), group)
