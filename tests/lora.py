"""LoRA modules as people write them: as in PEFT, as in loralib, and by hand; and a decoder with them."""

import copy
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from stbuild.frontend.checked_graph import with_merged
from stbuild.frontend.lora import merge_lora
from stbuild.frontend.model_graph import ModelGraph, decode_graph
from tests.models import Decoder, decoder


class PeftLinear(nn.Module):
    """The layout of peft.tuners.lora.Linear: adapters by name in ModuleDicts around `base_layer`."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float = 16.0) -> None:
        super().__init__()
        self.base_layer = base
        self.lora_dropout = nn.ModuleDict({"default": nn.Dropout(0.1)})
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, base.out_features, bias=False)})
        self.scaling = {"default": alpha / rank}

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.base_layer(x)
        low: Tensor = self.lora_B["default"](self.lora_A["default"](self.lora_dropout["default"](x)))
        return result + low * self.scaling["default"]


class LoralibLinear(nn.Linear):
    """The layout of loralib.Linear: a linear layer with two parameters of its own."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float = 16.0) -> None:
        super().__init__(base.in_features, base.out_features, bias=base.bias is not None)
        self.weight, self.bias = base.weight, base.bias
        self.lora_A = nn.Parameter(torch.empty(rank, base.in_features))
        self.lora_B = nn.Parameter(torch.empty(base.out_features, rank))
        self.scaling = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling


class HandLinear(nn.Module):
    """By hand: two linear layers beside one, scaled by alpha / sqrt(rank)."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float = 4.0) -> None:
        super().__init__()
        self.linear = base
        self.lora_A = nn.Linear(base.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, base.out_features, bias=False)
        self.alpha = alpha / math.sqrt(rank)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear(x) + self.alpha * self.lora_B(self.lora_A(x))
        return result


class DoraLinear(PeftLinear):
    """A LoRA module that does more: it normalises the merged matrix."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__(base, rank)
        self.lora_magnitude_vector = nn.Parameter(torch.ones(base.out_features))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.lora_magnitude_vector


class TanhLinear(HandLinear):
    """A LoRA module whose branch is no product."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear(x) + self.lora_B(torch.tanh(self.lora_A(x)))
        return result


KINDS: dict[str, Any] = {"peft": PeftLinear, "loralib": LoralibLinear, "hand": HandLinear}


def lora_decoder(kind: str, rank: int, **shape: Any) -> Decoder:
    """A decoder whose q, v and down projections are LoRA modules of a kind."""
    model = decoder(**shape)
    make = KINDS.get(kind) or {"dora": DoraLinear, "tanh": TanhLinear}[kind]
    for layer in model.layers:
        assert isinstance(layer, nn.Module)
        for owner, name in ((layer.attn, "q_proj"), (layer.attn, "v_proj"), (layer.mlp, "down_proj")):
            setattr(owner, name, make(getattr(owner, name), rank))
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(False)
        if "lora_" in name and parameter.ndim == 2:
            parameter.copy_(torch.randn_like(parameter) * parameter.shape[1] ** -0.5 * 0.5)
    return model.eval()


def merged_by_hand(model: Decoder) -> Decoder:
    """A copy of `model` without LoRA modules: what each does to unit vectors is its matrix."""
    plain = copy.deepcopy(model)
    for path, module in list(plain.named_modules()):
        if not hasattr(module, "lora_A"):
            continue
        width = next(p.shape[1] for n, p in module.named_parameters() if n.startswith("lora_A"))
        zero: Tensor = module(torch.zeros(1, width))
        linear = nn.Linear(width, zero.shape[1], bias=bool(zero.any()))
        linear.weight.data.copy_((module(torch.eye(width)) - zero).T)
        if linear.bias is not None:
            linear.bias.data.copy_(zero[0])
        owner, _, leaf = path.rpartition(".")
        setattr(plain.get_submodule(owner), leaf, linear.requires_grad_(False))
    return plain


def merged_graph(model: Decoder, context: int = 32) -> tuple[Decoder, ModelGraph]:
    """A copy of `model` with its LoRA modules merged, and its graph."""
    plain = copy.deepcopy(model)
    derived = merge_lora(plain)
    traced = decode_graph(plain, name="tiny", context=context)
    return plain, replace(traced, graph=with_merged(traced.graph, derived))
