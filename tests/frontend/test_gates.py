"""Gates, maxima, interpolations, computed parameters and embeddings in layers are lowered as they are."""

import os
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.derivations import indices, rows_of
from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from stbuild.ir import serde
from stbuild.ir.derived import Rows
from stbuild.ir.graph import Graph
from stbuild.ops.registry import OPS
from tests.embedded import KINDS, embedded_decoder
from tests.floats import float_check
from tests.gates import GROUPS, changed_decoder
from tests.models import decoder

CONTEXT = 32
PLACES = KINDS if os.environ.get("STBUILD_EXAMPLES") else ("attention", "narrow", "lambdas", "one_table")
"""Where embeddings are; all places where more examples are asked for."""


def check(model: nn.Module) -> Graph:
    """The graph of `model`, whose prefill, floats and integers agree."""
    traced = decode_graph(model, name="tiny", context=CONTEXT)
    check_prefill(traced.graph, prefill_ops(model, context=CONTEXT))
    float_check(model, traced)
    return traced.graph


@pytest.mark.parametrize("group", GROUPS)
def test_gates_are_near_their_floats(group: str) -> None:
    graph = check(changed_decoder(group))
    assert [block.count for block in graph.blocks] == [1, 2, 1]
    assert serde.from_data(Graph, serde.to_data(graph), OPS).derived == graph.derived != ()


@pytest.mark.parametrize("kind", PLACES)
def test_embeddings_in_layers_are_near_their_floats(kind: str) -> None:
    graph = check(embedded_decoder(kind, layers=2))
    assert graph.blocks[1].count == (1 if kind == "one_table" else 2)


@pytest.mark.parametrize(
    "rows",
    [Rows(start=0, count=1, repeat=64), Rows(start=3, count=4, repeat=16), Rows(start=0, count=16, tile=4),
     Rows(start=2, count=3, repeat=2, tile=5), Rows(start=0, count=64)],
)  # fmt: skip
def test_regular_rows_are_recognised(rows: Rows) -> None:
    found = rows_of(indices(rows))
    assert found is not None and found.total == rows.total
    assert indices(found).tolist() == indices(rows).tolist()


def test_irregular_rows_are_none() -> None:
    assert rows_of(indices(Rows(start=0, count=8))[[0, 2, 1, 3, 4, 5, 6, 7]]) is None
    assert rows_of(indices(Rows(start=0, count=8))[::-1]) is None


class Ends(nn.Module):
    """A decoder whose logits go through `change` with the parameter `weight`."""

    def __init__(self, change: Any, *shape: int) -> None:
        super().__init__()
        self.inner, self.change = decoder(layers=1), change
        self.weight = nn.Parameter(torch.ones(*shape), requires_grad=False)

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.change(
            self.inner(input_ids, position_ids, cache, attention_mask), self.weight, input_ids
        )
        return logits


REFUSED: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "a computed matrix": (lambda x, w, _: x @ (w * w), (64, 64), "the matrix .* is computed from"),
    "a computed table": (
        lambda x, w, ids: x + (w * w)[ids], (64, 64), "the embedding .* is computed from parameters"
    ),
    "an element of a norm": (
        lambda x, _, __: x * torch.nn.functional.layer_norm(x, (64,))[..., :1], (1,),
        "each element of a Norm meets several elements of a vector",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_lowering_is_told(case: str) -> None:
    change, shape, sentence = REFUSED[case]
    with pytest.raises(StbuildError, match=sentence) as found:
        decode_graph(Ends(change, *shape), name="odd", context=CONTEXT)
    assert found.value.where is not None and "test_gates.py:" in found.value.where
