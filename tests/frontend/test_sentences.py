"""Models that cannot be lowered: the sentence names what is wrong, not what happened to be noticed."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from stbuild.errors import StbuildError
from stbuild.frontend.builder import describe
from stbuild.frontend.context import check_context
from stbuild.frontend.lower import _operator
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.values import BASE, Expr, PositionProduct, Statistic, Vec
from stbuild.frontend.weights import index_of
from stbuild.ir.graph import Graph
from stbuild.passes.numerics import FixNumerics
from stbuild.passes.pipeline import plan
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import platform
from tests.module_weights import weights_of

CONTEXT = 64


class Net(nn.Module):
    """An embedding, `mix`, and a head."""

    def __init__(self, mix: "Mix", *, head: bool = True) -> None:
        super().__init__()
        self.mix = mix
        self.embed, self.position = nn.Embedding(64, 64), nn.Embedding(32, 64)
        self.head = nn.Linear(64, 64, bias=False) if head else nn.LayerNorm(64)
        self.count: Tensor
        self.last: Tensor
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("last", torch.zeros(64))

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, cache: object, attention_mask: Tensor
    ) -> Tensor:
        """Logits."""
        logits: Tensor = self.head(self.mix(self, self.embed(input_ids), position_ids))
        return logits


Mix = Callable[[Net, Tensor, Tensor], Tensor]


def counted(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """A state of the model's own."""
    net.count += 1
    return x


def remembered(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """A state that depends on the token."""
    net.last.copy_(x[0, -1])
    return x


def added(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """A buffer that each call replaces, and reads."""
    net.count = net.count + 1
    return x * net.count


def looked_back(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """An attribute that each call reads, but the first."""
    before = vars(net).get("seen")
    vars(net)["seen"] = x.mean()
    return x if before is None else x + 0 * before


def shown(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """An attribute that is there for others to read."""
    vars(net)["seen"] = x.mean()
    return x


def turned(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """Positions where no rotary embedding is."""
    return torch.tanh(x * torch.cos(positions[..., None].float()))


def placed(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """A learned position embedding of 32 rows."""
    moved: Tensor = net.position(positions)
    return x + moved


def plain(net: Net, x: Tensor, positions: Tensor) -> Tensor:
    """No layer at all."""
    return x


def graph_of(net: Net) -> Graph:
    """The graph of one token."""
    return decode_graph(net, name="net", context=CONTEXT).graph


@pytest.mark.parametrize(
    ("mix", "sentence"),
    [
        (
            counted,
            r"the model writes to its buffer 'count' when it is called; from token to token only the",
        ),
        (remembered, r"the model writes to its buffer 'last' when it is called"),
        (turned, r"aten.tanh.default: a product of a vector with numbers that depend on the position has no"),
        (
            placed,
            r"the position embedding 'position.weight' has 32 rows, the context is 64 \(set `context`",
        ),
    ],
)
def test_the_sentence_names_the_cause(mix: Mix, sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        graph_of(Net(mix))


@pytest.mark.parametrize(("mix", "name"), [(added, "count"), (looked_back, "seen")])
def test_a_tensor_kept_for_the_next_call(mix: Mix, name: str) -> None:
    with pytest.raises(StbuildError, match=f"keeps the tensor '{name}' from one call and reads it in the"):
        graph_of(Net(mix))


def test_a_tensor_that_no_call_reads_may_be_set() -> None:
    net = Net(shown)
    assert graph_of(net) == graph_of(Net(plain))
    assert "seen" not in vars(net)


def test_logits_without_a_head() -> None:
    with pytest.raises(StbuildError, match=r"the logits depend on no linear layer \(end the model with"):
        graph_of(Net(plain, head=False))


def test_a_head_on_the_embedding_is_a_design() -> None:
    net = Net(plain)
    traced = graph_of(net)
    index = index_of(traced, weights_of(net, traced))
    design = plan(FixNumerics()(traced), index, platform("u55c"), SizeOverrides(channels=2, lanes=1))
    assert [op.name for op in design.matmuls] == ["head"]


def test_values_and_functions_have_names_that_a_reader_knows() -> None:
    vec = Vec(source="x", width=1, index=np.zeros(1, np.int64))
    assert (
        describe(PositionProduct(terms=())) == "product of a vector with numbers that depend on the position"
    )
    assert describe(Expr(base=vec, target=torch.tanh, args=())) == "function of a vector"
    mean = Statistic(x=vec, segment=1, kind="mean", index=vec.index, function=BASE)
    assert describe(mean) == "mean over the elements of a vector"
    assert describe(3.0) == "number 3.0"
    assert _operator(operator.ge) == "operator.ge"
    assert _operator(torch.ops.aten.add.Tensor) == "aten.add.Tensor"


@pytest.mark.parametrize("context", [8, 9])
def test_a_context_beyond_the_model_s_positions(context: int) -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 64,
        "hidden_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    llama = LlamaForCausalLM(LlamaConfig(intermediate_size=64, max_position_embeddings=8, **sizes))
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=64, n_layer=1, n_head=2, n_positions=8))
    for model in (llama, gpt2):
        if context == 8:
            check_context(model, context)
            continue
        with pytest.raises(
            StbuildError,
            match=r"a context of 9 is more than the model's max_position_embeddings of 8 \(set `context`",
        ):
            check_context(model, context)
    check_context(nn.Linear(1, 1), 1 << 20)
