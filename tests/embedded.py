"""A decoder whose layers read embeddings where language models have them beside the first one."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.models import attention_of

KINDS = ("attention", "mlp", "narrow", "after", "position", "head", "lambdas", "one_table")
"""Where the rows are: added to v by learned scalars; a factor in the MLP; behind a narrow gate, as in Gemma
3n; normed behind the MLP; by position; before the LM head. `lambdas`: no rows, but the first hidden state,
mixed by scalars of one parameter for all layers. `one_table`: all layers' rows side by side in one table."""


class EmbeddedLayer(nn.Module):
    """One layer of four heads."""

    def __init__(self, kind: str, number: int, width: int, vocabulary: int, positions: int) -> None:
        super().__init__()
        self.kind, self.number, self.heads = kind, number, 4
        self.norm, self.mlp_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 2 * width, bias=False), nn.Linear(2 * width, width, bias=False)
        rows = {"mlp": 2 * width, "narrow": 32}.get(kind, width)
        if kind in ("attention", "mlp", "narrow", "after", "position"):
            self.rows = nn.Embedding(positions if kind == "position" else vocabulary, rows)
        if kind == "attention":
            self.mix = nn.Parameter(torch.tensor([0.7, 0.4]))
        if kind in ("narrow", "one_table"):
            self.gate, self.back = nn.Linear(width, 32, bias=False), nn.Linear(32, width, bias=False)
        if kind in ("narrow", "after", "one_table"):
            self.row_norm = nn.RMSNorm(width)

    def forward(self, x: Tensor, row: Tensor, cache: Any, mask: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        if self.kind == "attention":
            v = self.mix[0] * v + self.mix[1] * row
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        k, v = cache.update(k, v, self.number)
        y = attention_of("sdpa", q, k, v, mask)
        x = x + self.out(y.transpose(1, 2).flatten(-2))
        y = functional.gelu(self.up(self.mlp_norm(x)))
        x = x + self.down(y * row if self.kind == "mlp" else y)
        match self.kind:
            case "narrow" | "one_table":
                x = x + self.row_norm(self.back(functional.gelu(self.gate(x)) * row))
            case "after":
                x = x + self.row_norm(row)
            case "position":
                x = x + row
        return x


class EmbeddedDecoder(nn.Module):
    """The model of the plain protocol."""

    def __init__(self, kind: str, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        vocabulary, positions = 64, 64
        self.kind = kind
        self.embed, self.position = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.layers = nn.ModuleList(
            EmbeddedLayer(kind, i, width, vocabulary, positions) for i in range(layers)
        )
        if kind == "head":
            self.rows = nn.Embedding(vocabulary, width)
        if kind == "lambdas":
            self.lambdas = nn.Parameter(torch.rand(layers, 2) + 0.5)
        if kind == "one_table":
            self.table = nn.Embedding(vocabulary, 32 * layers)
        self.norm, self.lm_head = nn.RMSNorm(width), nn.Linear(width, vocabulary, bias=False)

    def forward(self, input_ids: Tensor, position_ids: Tensor, cache: Any, attention_mask: Tensor) -> Tensor:
        x = first = self.embed(input_ids) + self.position(position_ids)
        for number, layer in enumerate(self.layers):
            if self.kind == "lambdas":
                x = self.lambdas[number, 0] * x + self.lambdas[number, 1] * first
            row = self._row(layer, number, input_ids, position_ids, first)
            x = layer(x, row, cache, attention_mask)
        if self.kind == "head":
            x = x + self.rows(input_ids)
        logits: Tensor = self.lm_head(self.norm(x))
        return logits

    def _row(self, layer: Any, number: int, ids: Tensor, positions: Tensor, first: Tensor) -> Tensor:
        if self.kind == "one_table":
            table: Tensor = self.table(ids)
            return table.view(*ids.shape, -1, 32)[..., number, :]
        if not hasattr(layer, "rows"):
            return first
        made: Tensor = layer.rows(positions if self.kind == "position" else ids)
        return made


def embedded_decoder(kind: str, **sizes: int) -> EmbeddedDecoder:
    """A decoder of a kind with random weights of a sane size, none of them neutral."""
    torch.manual_seed(5)
    model = EmbeddedDecoder(kind, **sizes).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.add_(torch.randn_like(parameter) * 0.1)
        elif parameter.ndim == 2 and "lambdas" not in name and "rows" not in name:
            parameter.copy_(
                torch.randn_like(parameter) * (1.0 if "embed" in name else parameter.shape[1] ** -0.5)
            )
    return model
