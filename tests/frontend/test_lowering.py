"""Traced models become the graphs they should: the hand-written decoder in all variants, and refusals."""

from types import MethodType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.kvcache import TracedLayer, cache_of
from stbuild.frontend.model_call import call
from stbuild.frontend.model_graph import check_prefill, decode_graph, prefill_ops
from tests.floats import float_check
from tests.models import ATTENTION_FORMS, decoder, tiny_llama
from tests.module_weights import weights_of
from tests.reference.float_reference import FloatReference

CONTEXT = 32
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "layer norm, bias": {"norm": "layer", "bias": True},
    "1 + w": {"norm": "rms1"},
    "q and k norm": {"qk_norm": True},
    "unit q and k": {"qk_norm": True, "qk_norm_form": "unit"},
    "unit q and k, two neighbours": {
        "qk_norm": True,
        "qk_norm_form": "unit",
        "rotary_form": "two_neighbours",
        "rotary_dim": 8,
    },
    "where": {"activation": "where_leaky"},
    "maximum": {"activation": "maximum"},
    "logsigmoid": {"activation": "logsigmoid"},
    "gelu": {"activation": "gelu"},
    "hand gelu": {"activation": "hand_gelu"},
    "quick gelu": {"activation": "quick_gelu"},
    "square relu": {"activation": "square_relu", "gated": False},
    "no rotary": {"rotary_dim": 0},
    "partial rotary": {"rotary_dim": 8},
    "hardswish": {"activation": "hardswish"},
    "two halves": {"rotary_form": "two_halves"},
    "rotate every two": {"rotary_form": "rotate_every_two", "rotary_dim": 8},
    "two neighbours": {"rotary_form": "two_neighbours"},
    "second ffn": {"second_ffn": True},
    "parallel": {"parallel": True},
    "post norms": {"post_norm": True},
    "tied": {"tied": True},
    "softcap": {"softcap": 30.0},
    "no gqa": {"kv_heads": 4},
    "one layer": {"layers": 1},
    "the embedding in every layer": {"first_again": True},
    **{f"attention: {form}": {"attention": form} for form in ATTENTION_FORMS},
}


class Rounded:
    """The weights of a module, whose matrices are not rounded: what the graph computes is the module."""

    def __init__(self, module: nn.Module) -> None:
        self.state = {n: p.detach().float().numpy() for n, p in module.named_parameters()}

    def matrix(self, name: str) -> Any:
        array = self.state[name]
        return type("Matrix", (), {"dequantise": lambda _: array})()

    def array(self, name: str) -> Any:
        return self.state[name]

    def rows(self, name: str, start: int, stop: int) -> Any:
        return self.state[name][start:stop]


def logits_of(model: nn.Module, tokens: list[int], kv_heads: int, layers: int) -> Tensor:
    """The module's own logits of a prefill."""
    ids, positions = torch.tensor([tokens]), torch.arange(len(tokens))[None]
    empty = [torch.zeros(1, kv_heads, CONTEXT, 16) for _ in range(layers)]
    cache = cache_of([TracedLayer(k, k.clone(), positions[0]) for k in empty])
    with torch.no_grad():
        return call(model, ids, positions, cache, CONTEXT)[0]


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS.keys())
def test_the_graph_computes_what_the_module_computes(changes: dict[str, Any]) -> None:
    model = decoder(**changes)
    traced = decode_graph(model, name="tiny", context=CONTEXT)
    tokens = [3, 1, 4, 1, 5, 9, 2, 6]
    ours = FloatReference(graph=traced.graph, weights=Rounded(model), tables=traced.tables).run(tokens)
    theirs = logits_of(model, tokens, model.shape.kv_heads, model.shape.layers)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    float_check(model, traced, context=CONTEXT)
    flat = prefill_ops(model, context=CONTEXT)
    check_prefill(traced.graph, flat)


def test_layers_are_found_and_share_one_block() -> None:
    graph = decode_graph(tiny_llama(layers=3), name="tiny", context=CONTEXT).graph
    assert [(b.name, b.count) for b in graph.blocks] == [("prologue", 1), ("layers", 3), ("head", 1)]
    q_proj: Any = graph.blocks[1].op("q_proj")
    assert q_proj.weight.names == tuple(f"model.layers.{i}.self_attn.q_proj.weight" for i in range(3))


class Odd(nn.Module):
    """A decoder one of whose operators is `change`."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.inner, self.change = decoder(), change

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        result: Tensor = self.change(self.inner(input_ids, position_ids, cache, attention_mask))
        return result


def test_an_operator_without_lowering_is_named_with_module_and_line() -> None:
    model = Odd(lambda x: torch.cumsum(x, dim=-1))
    with pytest.raises(StbuildError, match=r"aten\.cumsum\.default.*no lowering for this") as found:
        decode_graph(model, name="odd", context=CONTEXT)
    assert found.value.where is not None and "test_lowering.py:" in found.value.where
    assert found.value.hint is not None and "lowered are linear layers" in found.value.hint


def test_a_model_that_looks_at_values_is_refused_with_its_line() -> None:
    model = Odd(lambda x: x[..., : int(x.argmax())])
    with pytest.raises(
        StbuildError, match="Odd cannot be called with 1 token: it reads the value of"
    ) as found:
        decode_graph(model, name="odd", context=CONTEXT)
    assert found.value.where is not None and "test_lowering.py:" in found.value.where
    assert found.value.hint == "branch on shapes, or use torch.where"


def test_an_exception_of_the_model_is_one_sentence_with_its_line() -> None:
    def fails(x: Tensor) -> Tensor:
        raise ValueError("no such luck\nnor other")

    with pytest.raises(
        StbuildError, match=r"Odd cannot be called with 1 token: ValueError: no such luck$"
    ) as found:
        decode_graph(Odd(fails), name="odd", context=CONTEXT)
    assert found.value.where is not None and "test_lowering.py:" in found.value.where


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (torch.sin, "cannot be tabulated: it jumps or bends too much"),
        (nn.Hardshrink(), "cannot be tabulated: it jumps or bends too much"),
        (torch.log, "cannot be tabulated: it has no value somewhere between -16 and 16"),
        (nn.Softsign(), "a quotient whose divisor may be 0"),
    ],
    ids=["wave", "jump", "log", "softsign"],
)
def test_a_function_that_no_table_holds_is_refused(change: Any, sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence) as found:
        decode_graph(Odd(change), name="odd", context=CONTEXT)
    assert found.value.message.startswith("aten.")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: 50 * torch.tanh(a / 50), r"aten\.tanh\.default in layers\.0: attention scores go through"),
        (lambda a: torch.cat((a, a.new_ones(*a.shape[:-1], 1)), -1), "not one learned number for each head"),
        (lambda a: a + torch.arange(CONTEXT) ** 2 * 0.1, "do not fall with distance in a straight line"),
        (lambda a: a[..., -8:], "attention scores are rearranged"),
    ],
    ids=["soft cap", "sink", "position bias", "window"],
)
def test_attention_of_another_kind_is_refused(change: Any, sentence: str) -> None:
    model = decoder()

    def forward(layer: Any, x: Tensor, turn: Any, cache: Any, mask: Tensor) -> Any:
        q, k, v = (p(x).view(1, x.shape[1], -1, 16).transpose(1, 2) for p in _projections(layer.attn))
        k, v = (t.repeat_interleave(2, 1) for t in cache.update(k, v, layer.attn.layer))
        scores = (q @ k.mT).masked_fill(~mask, float("-inf"))
        y = change(scores).softmax(-1)[..., :CONTEXT] @ v[..., -min(CONTEXT, change(scores).shape[-1]) :, :]
        return layer.attn.o_proj(y.transpose(1, 2).flatten(2))

    for layer in model.layers:
        layer.forward = MethodType(forward, layer)
    with pytest.raises(StbuildError, match=sentence):
        decode_graph(model, name="odd", context=CONTEXT)


def _projections(attention: Any) -> tuple[nn.Module, nn.Module, nn.Module]:
    return attention.q_proj, attention.k_proj, attention.v_proj


def test_a_mask_that_is_no_window_is_refused() -> None:
    class Chunks(Odd):
        def forward(
            self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor
        ) -> Tensor:
            chunk = position_ids[:, None, :, None] // 8 * 8
            near = torch.arange(CONTEXT)[None, None, None, :] >= chunk
            result: Tensor = self.inner(input_ids, position_ids, cache, attention_mask & near)
            return result

    with pytest.raises(StbuildError) as found:
        decode_graph(Chunks(None), name="odd", context=CONTEXT)
    assert found.value.message == (
        "aten.scaled_dot_product_attention.default in inner.layers.0.attn:"
        " at position 8 attention does not look at just the positions 1 to 8"
    )
    assert str(found.value.where).startswith("tests/models.py:")


def test_a_mask_that_is_wrong_in_a_prefill_only_is_refused_at_its_attention() -> None:
    class Blind(Odd):
        def forward(
            self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor
        ) -> Tensor:
            own = torch.arange(CONTEXT) == position_ids[:, -1:]
            result: Tensor = self.inner(input_ids, position_ids, cache, attention_mask | own)
            return result

    decode_graph(Blind(None), name="odd", context=CONTEXT)
    with pytest.raises(
        StbuildError, match=r"aten\.scaled_dot_\S+ in inner\.layers\.0\.attn: at position 0 "
    ) as e:
        prefill_ops(Blind(None), context=CONTEXT)
    assert str(e.value.where).startswith("tests/models.py:")


def test_a_rotary_embedding_of_each_head_s_own_is_refused_at_its_operator() -> None:
    model = decoder(heads=2, kv_heads=2)
    model.frequency = nn.Buffer(model.frequency * torch.tensor([1.0, 2.0])[:, None, None])
    with pytest.raises(
        StbuildError, match=r"aten\.add\.Tensor in layers\.0\.attn: the rotary embedding differs between"
    ) as e:
        decode_graph(model, name="odd", context=CONTEXT)
    assert str(e.value.where).startswith("tests/models.py:")


def test_the_module_s_weights_fit_its_graph() -> None:
    model = decoder(tied=True)
    graph = decode_graph(model, name="tiny", context=CONTEXT).graph
    weights = weights_of(model, graph)
    assert (
        weights.matrix("embed.weight").bits == 8 and weights.matrix("layers.0.attn.q_proj.weight").bits == 4
    )
    np.testing.assert_array_equal(weights.rows("embed.weight", 2, 3)[0], model.embed.weight[2].numpy())
