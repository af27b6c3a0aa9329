"""Decoders whose layers end with gates, maxima, interpolations and computed parameters, as people write."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.models import Decoder, Layer, decoder

HEADS = 4
Change = Callable[[Any, Tensor], Tensor]
Parts = Callable[[int], dict[str, Any]]
"""Of a width: modules, and shapes of parameters, by name."""


def heads(x: Tensor) -> Tensor:
    """`x` by head."""
    return x.view(*x.shape[:-1], HEADS, -1)


def gated(fused: Tensor) -> Tensor:
    """A gate a head, then the values."""
    gates, values = fused[..., :HEADS].sigmoid(), heads(fused[..., HEADS:])
    return (values * gates[..., None]).flatten(-2)


def square(width: int) -> nn.Linear:
    """A matrix from the width to itself."""
    return nn.Linear(width, width, bias=False)


GATES: dict[str, tuple[Change, Parts]] = {
    "tanh of a scalar": (lambda s, x: torch.tanh(s.g) * x, lambda _: {"g": (1,)}),
    "a scalar without dimensions": (lambda s, x: x * s.g, lambda _: {"g": ()}),
    "a scalar added": (lambda s, x: x - s.g, lambda _: {"g": (1,)}),
    "a number a head": (lambda s, x: (heads(x) * s.g).flatten(-2), lambda _: {"g": (HEADS, 1)}),
    "exp of a number a head": (
        lambda s, x: (heads(x).transpose(1, 2) * s.g.exp().view(1, -1, 1, 1)).transpose(1, 2).flatten(-2),
        lambda _: {"g": (HEADS,)},
    ),
    "a gain shared by heads": (lambda s, x: (heads(x) * s.g).flatten(-2), lambda w: {"g": (w // HEADS,)}),
    "a gain by head and element": (
        lambda s, x: (heads(x) * s.g).flatten(-2), lambda w: {"g": (HEADS, w // HEADS)}
    ),
    "a gate a head, projected": (
        lambda s, x: (heads(x) * torch.sigmoid(s.p(x)).unsqueeze(-1)).flatten(-2),
        lambda w: {"p": nn.Linear(w, HEADS)},
    ),
    "a gate a token, of two projections": (
        lambda s, x: x * (1 + torch.tanh(s.p(x) + s.q(x))),
        lambda w: {"p": nn.Linear(w, 1), "q": nn.Linear(w, 1, bias=False)},
    ),
    "a gate fused with its values": (
        lambda s, x: gated(s.p(x)),
        lambda w: {"p": nn.Linear(w, w + HEADS)},
    ),
}  # fmt: skip
"""What multiplies or shifts whole vectors or heads."""
EXTREMES: dict[str, tuple[Change, Parts]] = {
    "maximum": (lambda s, x: torch.maximum(x, s.p(x)), lambda w: {"p": square(w)}),
    "minimum": (lambda s, x: torch.min(s.p(x), x), lambda w: {"p": square(w)}),
    "maximum of functions of one vector": (lambda s, x: torch.maximum(x, -0.37 * x.tanh()), lambda _: {}),
    "maximum with a parameter": (lambda s, x: torch.maximum(x, s.g), lambda w: {"g": (w,)}),
    "minimum with a scalar parameter": (lambda s, x: torch.minimum(x, 2 + s.g), lambda _: {"g": ()}),
    "maximum with a number": (lambda s, x: torch.maximum(x, torch.tensor(-1.03)), lambda _: {}),
    "minimum with a number": (lambda s, x: torch.minimum(torch.full_like(x, 1.93), x), lambda _: {}),
    "lerp by a number": (lambda s, x: torch.lerp(x, s.p(x), 0.3), lambda w: {"p": square(w)}),
    "lerp by a parameter": (
        lambda s, x: torch.lerp(x, s.p(x), s.g), lambda w: {"p": square(w), "g": (w,)}
    ),
    "lerp by a vector": (
        lambda s, x: torch.lerp(x, s.p(x), torch.sigmoid(s.q(x))),
        lambda w: {"p": square(w), "q": square(w)},
    ),
    "addcmul": (
        lambda s, x: torch.addcmul(x, s.p(x), s.g, value=0.5), lambda w: {"p": square(w), "g": (w,)}
    ),
}  # fmt: skip
"""Functions of two or three values."""
COMPUTED: dict[str, tuple[Change, Parts]] = {
    "two gates of one scalar": (
        lambda s, x: torch.sigmoid(s.g) * x + (1 - torch.sigmoid(s.g)) * s.p(x),
        lambda w: {"g": (1,), "p": square(w)},
    ),
    "softmax of two scalars": (
        lambda s, x: s.w.softmax(0)[0] * x + s.w.softmax(0)[1] * s.p(x),
        lambda w: {"w": (2,), "p": square(w)},
    ),
    "scalars of one parameter": (
        lambda s, x: (lambda a, b: a * x + b * s.p(x))(*s.w.unbind(0)),
        lambda w: {"w": (2,), "p": square(w)},
    ),
    "a product of parameters": (lambda s, x: x * (1 + s.a * s.b), lambda w: {"a": (w,), "b": (1,)}),
    "a parameter less a vector": (lambda s, x: s.g - x, lambda w: {"g": (w,)}),
    "a quotient": (lambda s, x: x / (1 + s.g.abs()), lambda w: {"g": (w,)}),
    "lerp by a gate": (
        lambda s, x: torch.lerp(x, s.p(x), s.g.sigmoid()), lambda w: {"p": square(w), "g": ()}
    ),
    "a normed parameter": (
        lambda s, x: x * (2 * s.g / s.g.norm() + 1), lambda w: {"g": (w,)}
    ),
}  # fmt: skip
"""Parameters that are computed from others."""
GROUPS = {"gates": GATES, "extremes": EXTREMES, "computed": COMPUTED}


class Changed(nn.Module):
    """A change with its parts."""

    def __init__(self, change: Change, parts: dict[str, Any]) -> None:
        super().__init__()
        self.change = change
        for name, part in parts.items():
            setattr(self, name, part if isinstance(part, nn.Module) else nn.Parameter(torch.empty(part)))

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self, x)


def changed_decoder(*groups: str, **shape: Any) -> Decoder:
    """A decoder whose every MLP is followed by the changes of all `groups`, one after the other."""
    model = decoder(**shape)
    width = model.shape.width
    for layer in model.layers:
        assert isinstance(layer, Layer)
        changes = [Changed(c, parts(width)) for g in groups for c, parts in GROUPS[g].values()]
        layer.mlp = nn.Sequential(layer.mlp, *changes)  # type: ignore[assignment]  # any module of one vector
        torch.manual_seed(7 + len(changes))
        for parameter in nn.ModuleList(changes).parameters():
            columns = parameter.shape[-1] if parameter.ndim == 2 and parameter.shape[-1] > 32 else 4
            centre = 0.0 if columns > 4 else 1.0
            parameter.data.copy_(centre + torch.randn_like(parameter) * columns**-0.5 / 2**centre)
    return model.requires_grad_(False)
