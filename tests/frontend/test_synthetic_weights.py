"""Synthetic weights: the same everywhere for a seed, and never neutral."""

import subprocess
import sys

import numpy as np
import pytest

from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.synthetic_weights import SyntheticWeights
from stbuild.frontend.weights import index_of, parameters, uses_of
from stbuild.ir.graph import Graph
from stbuild.ops.add_param import AddParam
from stbuild.ops.norm import Norm
from tests.conftest import CHECKOUT
from tests.models import decoder, tiny_llama


@pytest.fixture(scope="module")
def graph() -> Graph:
    return decode_graph(tiny_llama(), name="tiny", context=32).graph


def test_synthetic_weights_depend_on_seed_and_name_alone(graph: Graph) -> None:
    one, same, other = (open_weights(None, graph, seed=s) for s in (1, 1, 2))
    name = "model.layers.0.mlp.up_proj.weight"
    np.testing.assert_array_equal(one.matrix(name).q, same.matrix(name).q)
    assert (one.matrix(name).q != other.matrix(name).q).any()
    embedding = one.array("model.embed_tokens.weight")
    np.testing.assert_array_equal(one.rows("model.embed_tokens.weight", 5, 7), embedding[5:7])
    assert one.matrix(name).dequantise().std() == pytest.approx(64**-0.5, rel=0.1)
    assert index_of(graph, one).synthetic


def test_rows_of_a_tied_synthetic_embedding_are_those_of_the_head() -> None:
    weights = open_weights(None, decode_graph(decoder(tied=True), name="tiny", context=32).graph)
    head = weights.matrix("embed.weight").dequantise()
    for start in (0, 5, 63):
        np.testing.assert_array_equal(weights.rows("embed.weight", start, start + 1), head[start : start + 1])


def test_no_synthetic_gain_is_1_and_no_bias_0() -> None:
    model = decoder(norm="layer", bias=True, rotary_dim=0)
    graph = decode_graph(model, name="tiny", context=32).graph
    weights = SyntheticWeights.of(uses_of(graph))
    seen = set()
    for op, field, param in parameters(graph):
        if isinstance(op, Norm | AddParam):
            gain = isinstance(op, Norm) and field == "weight"
            used = np.concatenate([weights.array(n) for n in param.names]) * param.scale + param.offset
            assert np.abs(used - gain).min() >= 0.049 and np.abs(used - gain).max() < 0.25
            seen.add((type(op).__name__, field))
    assert seen == {("Norm", "weight"), ("Norm", "bias"), ("AddParam", "param")}


def test_reading_weights_needs_no_torch() -> None:
    """It takes longer to import than the weights of a small model take."""
    code = "import sys, stbuild.frontend.checkpoint, stbuild.pack.images; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(CHECKOUT)}, check=True)
