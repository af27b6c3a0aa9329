"""Unmodified Hugging Face classes of several families compute what their graphs compute."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity

from stbuild.errors import StbuildError
from stbuild.frontend.model_graph import ModelGraph, check_prefill, decode_graph, prefill_ops
from stbuild.frontend.weights import uses_of
from stbuild.ops.attention import Attention
from stbuild.ops.rotary import Rotary
from stbuild.passes.numerics import FixNumerics
from stbuild.reference.interpreter import Reference
from tests.families import FAMILIES, family_model
from tests.floats import float_check
from tests.frontend.test_lowering import Rounded
from tests.module_weights import ModuleWeights
from tests.reference.float_reference import FloatReference

TOKENS = (3, 1, 4, 1, 5, 9, 2, 6, 53, 58, 9, 7, 9, 32, 38, 46, 26, 43, 38, 32, 7, 9, 50)
ROPES: dict[str, dict[str, Any]] = {
    "linear": {"factor": 4.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 16},
    "dynamic": {"factor": 4.0},
    "llama3": {"factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 16},
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_computes_what_the_class_computes(family: str) -> None:
    model = family_model(family)
    traced = decode_graph(model, name="tiny", context=32)
    flat = prefill_ops(model, context=32)
    check_prefill(traced.graph, flat)
    weights = Rounded(model)
    for block in traced.graph.blocks:
        for op in block.ops:
            turned = getattr(op, "weight", None)
            for name in turned.names if turned is not None and turned.transposed else ():
                weights.state[name] = weights.state[name].T
    ours = FloatReference(graph=traced.graph, weights=weights, tables=traced.tables).run(TOKENS)
    theirs = _logits(model)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    float_check(family_model(family), traced)  # tracing changes a model: the build's check makes its own
    _check_near(model, traced)


@pytest.mark.parametrize("kind", ROPES)
def test_scaled_rotary_embeddings_are_tabulated(kind: str) -> None:
    rope = {"rope_type": kind, "rope_theta": 1e4, **ROPES[kind]}
    positions = 16 if kind == "dynamic" else 64
    model = family_model("Llama", rope_parameters=rope, max_position_embeddings=positions)
    _check_near(model, decode_graph(model, name="tiny", context=32))


def test_layers_that_differ_by_window_and_frequencies_are_one_block() -> None:
    graph = decode_graph(family_model("Gemma3"), name="tiny", context=32).graph
    layers = next(b for b in graph.blocks if b.count > 1)
    attention = next(op for op in layers.ops if isinstance(op, Attention))
    rotary = next(op for op in layers.ops if isinstance(op, Rotary))
    assert layers.count == 7
    assert attention.windows == (5, 5, 5, 5, 5, 32, 5)
    assert rotary.rows == (0, 0, 0, 0, 0, 1, 0)


@pytest.mark.parametrize(("window", "windows"), [(1, (1, 1)), (31, (31, 31)), (32, ()), (500, ())])
def test_a_window_as_long_as_the_context_is_none(window: int, windows: tuple[int, ...]) -> None:
    model = family_model("Mistral", sliding_window=window)
    graph = decode_graph(model, name="tiny", context=32).graph
    assert [op.windows for op in graph.blocks[1].ops if isinstance(op, Attention)] == [windows]


@pytest.mark.parametrize(("context", "factor"), [(16, 1.0), (32, 4.0)])
def test_longrope_factors_follow_the_context(context: int, factor: float) -> None:
    table = decode_graph(family_model("Phi3 longrope"), name="tiny", context=context).tables["rotary"]
    cosine, sine = float(table[3, 7]), float(table[3, 16 + 7])
    assert math.atan2(sine, cosine) == pytest.approx(3 / 1e4 ** (14 / 16) / factor, rel=1e-4)


def test_frequencies_that_follow_the_sequence_in_another_way_are_refused() -> None:
    model = family_model("Llama")
    model.model.rotary_emb.rope_type = "dynamic_own"
    with pytest.raises(StbuildError, match=r"'model.rotary_emb' has frequencies of kind 'dynamic_own'"):
        decode_graph(model, name="tiny", context=32)


def _check_near(model: Any, traced: ModelGraph) -> None:
    """The reference's logits point where those of the class do, once its matrices are rounded alike."""
    graph = FixNumerics()(traced.graph)
    weights = ModuleWeights.of(model, uses_of(graph, 32))
    ours = Reference(graph=graph, weights=weights, tables=traced.tables).run(TOKENS, all_logits=True).logits
    rounded = {n: torch.from_numpy(weights.matrix(n).dequantise()) for n in weights.uses.matrices}
    parameters = dict(model.named_parameters())
    for name, matrix in rounded.items():
        parameters[name].copy_(matrix.T if weights.uses.matrices[name].transposed else matrix)
    theirs = _logits(model).double()
    scaled = ours.double() / 65536
    assert cosine_similarity(scaled, theirs, dim=1).min() > 0.99
    assert (scaled - theirs).abs().max() < 0.25 * theirs.std()


def _logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=torch.tensor([TOKENS])).logits[0]
    return logits
