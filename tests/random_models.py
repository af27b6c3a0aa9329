"""Language models drawn at random: sizes, norms, activations, biases, and how sub-layers hang together."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.models import ATTENTION_FORMS, Attention, DecoderShape, FeedForward, norm_of

ACTIVATIONS = (
    "silu", "gelu", "gelu_tanh", "relu", "quick_gelu", "square_relu", "hand_gelu", "hardswish", "mish",
    "tanh", "sigmoid", "leaky_relu", "where_leaky", "maximum", "logsigmoid", "selu", "softplus",
)  # fmt: skip
ROTARY_FORMS = ("rotate_half", "two_halves", "rotate_every_two", "two_neighbours")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One sub-layer: `kind` "attention" or "ffn", of the norm of value `source`, added to value `onto`.

    Values are numbered backwards from the newest: 0 is the last step's, 1 the one before it. `onto` -1
    drops the residual. `scale` multiplies what is added. `first` adds the embedding to what is normed.
    """

    kind: str
    shape: DecoderShape
    pre_norm: str
    post_norm: str
    source: int
    onto: int
    scale: float
    first: bool


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model: its sizes, and the steps of the block that repeats."""

    shape: DecoderShape
    steps: tuple[Step, ...]


class SubLayer(nn.Module):
    """One step of a block."""

    def __init__(self, step: Step, cache: int) -> None:
        super().__init__()
        self.step = step
        self.body = Attention(step.shape, cache) if step.kind == "attention" else FeedForward(step.shape)
        self.pre_norm = _norm(step.pre_norm, step.shape)
        self.post_norm = _norm(step.post_norm, step.shape)

    def forward(self, values: list[Tensor], first: Tensor, turn: Any, cache: Any, mask: Tensor) -> Tensor:
        source = values[max(0, len(values) - 1 - self.step.source)]
        x = self.pre_norm(source + first if self.step.first else source)
        y = self.body(x, turn, cache, mask) if self.step.kind == "attention" else self.body(x)
        y = self.post_norm(y)
        if self.step.scale != 1.0:
            y = y * self.step.scale
        if self.step.onto < 0:
            return _tensor(y)
        return _tensor(values[max(0, len(values) - 1 - self.step.onto)] + y)


class RandomDecoder(nn.Module):
    """A decoder-only language model after a recipe, of the plain protocol."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.shape = shape = recipe.shape
        self.embed = nn.Embedding(shape.vocab_size, shape.width)
        if not shape.rotary_dim:
            self.position = nn.Embedding(shape.positions, shape.width)
        caches = itertools.count()
        self.layers = nn.ModuleList(
            nn.ModuleList(SubLayer(s, next(caches) if s.kind == "attention" else 0) for s in recipe.steps)
            for _ in range(shape.layers)
        )
        self.norm = norm_of(shape, shape.width)
        self.lm_head = nn.Linear(shape.width, shape.vocab_size, bias=False)
        if shape.tied:
            self.lm_head.weight = self.embed.weight
        steps = torch.arange(0, max(shape.rotary_dim, 2), 2)
        self.frequency = nn.Buffer(1.0 / 1e4 ** (steps / max(shape.rotary_dim, 2)), persistent=False)

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids)
        turn = self._turn(position_ids) if self.shape.rotary_dim else None
        if turn is None:
            x = x + self.position(position_ids)
        first = x
        for layer in self.layers:
            values = [x]
            assert isinstance(layer, nn.ModuleList)
            for step in layer:
                values.append(step(values, first, turn, cache, attention_mask))
            x = values[-1]
        logits: Tensor = self.lm_head(self.norm(x))
        cap = self.shape.softcap
        return cap * torch.tanh(logits / cap) if cap else logits

    def _turn(self, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        angle = position_ids[:, None, :, None].float() * self.frequency
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()


def random_decoder(recipe: Recipe, seed: int) -> RandomDecoder:
    """The model of a recipe with random weights of a sane size."""
    torch.manual_seed(seed)
    model = RandomDecoder(recipe).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                parameter.add_(torch.randn_like(parameter) * 0.1)
            elif "proj" in name:
                parameter.copy_(torch.randn_like(parameter) / parameter.shape[1] ** 0.5)
    return model.requires_grad_(False)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Small models of one to three layers with at least one attention in the block."""
    head_dim = draw(st.sampled_from((8, 16, 24, 32, 48, 64, 80)))
    kv_heads = draw(st.sampled_from((1, 2, 3)))
    heads = kv_heads * draw(st.sampled_from((1, 2, 4)))
    context = draw(st.sampled_from((16, 40, 100)))
    shape = DecoderShape(
        vocab_size=draw(st.sampled_from((48, 50, 64, 131))),
        width=draw(st.sampled_from((32, 50, 64, 96, 100, 128))),
        ffn=draw(st.sampled_from((32, 45, 96, 160, 172))),
        layers=draw(st.integers(1, 3)),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        positions=context,
        norm=draw(st.sampled_from(("rms", "rms1", "layer"))),
        qk_norm=draw(st.booleans()),
        qk_norm_form=draw(st.sampled_from(("norm", "unit"))),
        rotary_dim=draw(st.sampled_from((0, min(16, head_dim), head_dim))),
        rotary_form=draw(st.sampled_from(ROTARY_FORMS)),
        tied=draw(st.booleans()),
        softcap=draw(st.sampled_from((0.0, 0.0, 30.0))),
    )
    steps = draw(st.lists(_steps(shape), min_size=1, max_size=4))
    if not any(step.kind == "attention" for step in steps):
        steps.insert(draw(st.integers(0, len(steps))), draw(_steps(shape, ("attention",))))
    return Recipe(shape=shape, steps=tuple(steps))


@st.composite
def _steps(draw: st.DrawFn, shape: DecoderShape, kinds: tuple[str, ...] = ("attention", "ffn")) -> Step:
    norms = st.sampled_from(("none", "rms", "rms1", "layer"))
    part = replace(
        shape,
        bias=draw(st.booleans()),
        gated=draw(st.booleans()),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        attention=draw(st.sampled_from(ATTENTION_FORMS)),
    )
    return Step(
        kind=draw(st.sampled_from(kinds)),
        shape=part,
        pre_norm=draw(norms),
        post_norm=draw(norms),
        source=draw(st.integers(0, 2)),
        onto=draw(st.sampled_from((-1, 0, 0, 0, 1, 2))),
        scale=draw(st.sampled_from((1.0, 1.0, 0.5, -1.25))),
        first=draw(st.integers(0, 7)) == 7,
    )


def _norm(kind: str, shape: DecoderShape) -> nn.Module:
    if kind == "none":
        return nn.Identity()
    return norm_of(DecoderShape(norm=kind, bias=shape.bias), shape.width)


def _tensor(value: Any) -> Tensor:
    assert isinstance(value, Tensor)
    return value
