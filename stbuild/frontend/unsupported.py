"""Refuses unsupported kinds of models and checkpoints, before any work is done on them."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stbuild.errors import StbuildError
from stbuild.frontend.quantisation import read_quantisation

if TYPE_CHECKING:
    from torch import nn  # importing it takes more than a second, and checkpoints are read without it

_EXPERTS = re.compile(r"(Experts|Moe|MoE|SparseMoeBlock|MoeBlock|MoeLayer|SparseMLP|MixtureOfExperts)$")
_RECURRENT = re.compile(
    r"Mamba|Rwkv|RWKV|SSM|StateSpace|GatedDeltaNet|KimiDelta|[mxs]LSTM|RgLru|RecurrentBlock|ShortConv"
    r"|LightningAttention|LinearAttention|^(LSTM|GRU|RNN)$"
)
_PARTS = ("qweight", "qzeros", "scales")
"""The tensors of a matrix that AWQ or GPTQ quantised; GPTQ has `g_idx` too."""
_DENSE = "stbuild takes decoder-only models whose layers are dense"
_ATTENTION = "stbuild takes decoder-only models whose layers mix tokens by attention"


def refuse_model(model: "nn.Module") -> None:
    """Raise StbuildError for a mixture of experts, a recurrent model or one with an encoder."""
    name = type(model).__name__
    config = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False) or _first(model, re.compile(r"^Transformer(Decoder)?$")):
        raise StbuildError(
            f"{name} is an encoder-decoder model, which is not supported",
            hint="stbuild takes decoder-only models",
        )
    if found := _first(model, _EXPERTS):
        raise StbuildError(f"{name} is a mixture of experts ({found}), which is not supported", hint=_DENSE)
    if found := _first(model, _RECURRENT):
        raise StbuildError(
            f"{name} is a state-space or recurrent model ({found}), which is not supported", hint=_ATTENTION
        )
    stated = getattr(config, "quantization_config", None)
    if stated is not None:
        read_quantisation(stated, f"the configuration of {name}", None)
    if found := next((path for path, _ in model.named_buffers() if path.endswith(f".{_PARTS[0]}")), ""):
        raise StbuildError(
            f"{name} has packed weights ({found}) in place of parameters, which is not supported",
            hint="make the model with from_config(), and give the folder of its weights as `weights`",
        )


def refuse_tensors(names: Iterable[str], where: str) -> None:
    """Raise StbuildError if tensors are called as AWQ and GPTQ call the parts of a packed matrix.

    Which of the two, and how the numbers are meant, only a configuration says.
    """
    known = set(names)
    packed = sorted(n.removesuffix(".qweight") for n in known if n.endswith(".qweight"))
    for owner in packed[:1]:
        if all(f"{owner}.{part}" in known for part in _PARTS):
            label = "GPTQ" if f"{owner}.g_idx" in known else "AWQ"
            raise StbuildError(
                f"the tensor '{owner}.qweight' is one of weights that {label} quantised, but no config.json "
                "says how",
                where=where,
                hint="give the folder, with a config.json that has the quantization_config",
            )


def _first(model: "nn.Module", pattern: re.Pattern[str]) -> str:
    """`MixtralExperts in model.layers.0.mlp`: the first module whose class is called so; "" without one."""
    for path, module in model.named_modules():
        if pattern.search(type(module).__name__) and path:
            return f"{type(module).__name__} in {path}"
    return ""
