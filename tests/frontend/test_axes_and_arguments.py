"""Lowerings compare axes, not sizes, and pass over no argument of an operator."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stbuild.errors import StbuildError
from stbuild.frontend.arguments import NEUTRAL, READ, check_arguments
from stbuild.frontend.builder import Builder
from stbuild.frontend.call import Call, Lowering
from stbuild.frontend.lower import TABLE
from stbuild.frontend.model_graph import decode_graph
from stbuild.frontend.static import Statics
from tests.floats import float_check
from tests.models import decoder

CONTEXT = 32
ANOTHER = {"bool": True, "int": 7, "Scalar": 7, "float": 0.5}
"""A value of each type that is no operator's default."""


class Odd(nn.Module):
    """A decoder on whose 256 logits `change` works with the parameter `weight`, [16, 16] unless given."""

    def __init__(self, change: Any, *shape: int) -> None:
        super().__init__()
        self.inner, self.change = decoder(vocab_size=256, layers=1), change
        self.weight = nn.Parameter(torch.randn(*shape or (16, 16)) + 1, requires_grad=False)

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        x = self.inner(input_ids, position_ids, cache, attention_mask)
        result: Tensor = self.change(x, self.weight).reshape(x.shape)
        return result


def heads(x: Tensor) -> Tensor:
    """16 heads of 16 elements: a size alone does not tell the two axes apart."""
    return x.view(*x.shape[:2], 16, 16)


def normed(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)


REFUSED: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "variance of another axis": (
        lambda x, _: (
            (heads(x) - heads(x).mean(-1, keepdim=True)) * torch.rsqrt(heads(x).var(-2, keepdim=True) + 1e-5)
        ),
        (),
        "only the last dimension can be reduced",
    ),
    "deviation of another axis": (
        lambda x, _: (heads(x) - heads(x).mean(-1, keepdim=True)) / heads(x).std(-2, keepdim=True),
        (),
        "only the last dimension can be reduced",
    ),
    "statistic turned": (
        lambda x, _: heads(x) * torch.rsqrt(heads(x).pow(2).mean(-1) + 1e-5).view(1, -1, 1, 16),
        (),
        "a number computed from each 16 elements meets other elements than those",
    ),
    "mean turned": (
        lambda x, _: heads(x) - heads(x).mean(-1, keepdim=True).transpose(-1, -2),
        (),
        "a number computed from each 16 elements meets other elements than those",
    ),
    "dropout": (
        lambda x, _: nn.functional.dropout(x, 0.5, training=True),
        (),
        r"aten\.dropout\.default: the argument train=True has no lowering",
    ),
    "floor of a quotient": (
        lambda x, _: torch.div(x, 3.0, rounding_mode="floor"),
        (),
        "jumps or bends too much",
    ),
    "floor of a quotient of one vector": (
        lambda x, _: torch.div(x, 2 + x.sigmoid(), rounding_mode="floor"),
        (),
        "a function of several values",
    ),
    "floor of a quotient of two": (
        lambda x, w: torch.div(x, (x.flip(-1) @ w).sigmoid() + 1, rounding_mode="floor"),
        (256, 256),
        "no lowering",
    ),
    "count of a vector": (
        lambda x, _: x / torch.linalg.vector_norm(x, ord=0, dim=-1, keepdim=True),
        (),
        "only the norm of order 2",
    ),
    "length of another vector": (
        lambda x, _: x / torch.linalg.vector_norm(x.sigmoid(), dim=-1, keepdim=True),
        (),
        "in a way that is no known norm",
    ),
    "a ripple between the samples": (
        lambda x, _: x + torch.sin(8 * torch.pi * x) / 4,
        (),
        "jumps or bends too much",
    ),
    "a ripple between the samples and their middles": (
        lambda x, _: x + torch.sin(16 * torch.pi * x) / 4,
        (),
        "jumps or bends too much",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_only_looks_alike_is_refused(case: str) -> None:
    change, shape, sentence = REFUSED[case]
    with pytest.raises(StbuildError, match=sentence) as found:
        decode_graph(Odd(change, *shape), name="odd", context=CONTEXT)
    assert found.value.where is not None and "test_axes_and_arguments.py:" in found.value.where


RIGHT: dict[str, tuple[Any, tuple[int, ...]]] = {
    "gain by element": (lambda x, w: normed(heads(x)) * w, (1, 16)),
    "gain by head": (lambda x, w: normed(heads(x)) * w, (16, 1)),
    "gain by element and offset by head": (lambda x, w: normed(heads(x)) * w[:, 0] + w, (16, 1)),
    "corners finer than the table": (lambda x, _: x + x.clamp(-0.02, 0.02), ()),
    "gain and offset by element": (lambda x, w: normed(heads(x)) * w + w, (16,)),
    "square matrix turned": (lambda x, w: x @ w.permute(1, 0), (256, 256)),
    "square matrix turned by negative axes": (lambda x, w: x @ w.transpose(-1, -2), (256, 256)),
    "square matrix not turned": (lambda x, w: x @ w.permute(0, 1), (256, 256)),
    "statistic without its dimension": (
        lambda x, _: heads(x) * torch.rsqrt(heads(x).pow(2).mean(-1) + 1e-5)[..., None],
        (),
    ),
    "clamp that is finer than the table": (lambda x, _: x.clamp(-0.02, 0.02), ()),
    "root of a sum": (lambda x, _: x / (x.pow(2).sum(-1, keepdim=True) + 1e-3).sqrt(), ()),
    "unbiased deviation": (
        lambda x, _: (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-5).sqrt(),
        (),
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_what_is_alike_is_right(case: str) -> None:
    change, shape = RIGHT[case]
    float_check(Odd(change, *shape))


@pytest.mark.parametrize("target", sorted(TABLE, key=str), ids=str)
def test_an_argument_that_a_lowering_does_not_read_is_refused(target: Any) -> None:
    low = Lowering(builder=Builder(tokens=1), statics=Statics(), context=CONTEXT, names={})
    for declared in target._schema.arguments:
        kind = str(declared.type).removeprefix("Optional[").removesuffix("]")
        value = torch.int64 if declared.name == "dtype" else ANOTHER.get(kind)
        read = not declared.has_default_value() or declared.name in READ.get(target, ())
        if value is None or read or declared.name in NEUTRAL:
            continue
        call = Call(low=low, target=target, args=(), kwargs={declared.name: value}, shape=())
        with pytest.raises(StbuildError, match=f"the argument {declared.name}="):
            check_arguments(call)


def test_the_table_s_arguments_are_those_of_its_operators() -> None:
    for target, names in READ.items():
        assert names <= {declared.name for declared in target._schema.arguments}, target
        assert target in TABLE, target
