"""Refuses unsupported kinds of models and checkpoints, before any work is done on them."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from stbuild.errors import StbuildError

_EXPERTS = re.compile(r"(Experts|Moe|MoE|SparseMoeBlock|MoeBlock|MoeLayer|SparseMLP|MixtureOfExperts)$")
_RECURRENT = re.compile(
    r"Mamba|Rwkv|RWKV|SSM|StateSpace|GatedDeltaNet|KimiDelta|[mxs]LSTM|RgLru|RecurrentBlock|ShortConv"
    r"|LightningAttention|LinearAttention|^(LSTM|GRU|RNN)$"
)
_QUANTISED = {
    "awq": ("AWQ", ("qweight", "qzeros", "scales")),
    "gptq": ("GPTQ", ("qweight", "qzeros", "scales", "g_idx")),
}
"""Methods by the name in config.json: what users call them, and the tensors of each of their matrices."""
_DENSE = "stbuild takes decoder-only models whose layers are dense"
_ATTENTION = "stbuild takes decoder-only models whose layers mix tokens by attention"
_FLOATS = "give the floating-point checkpoint, which stbuild quantises itself, or a GGUF file"


def refuse_model(model: nn.Module) -> None:
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
    method = _method(getattr(config, "quantization_config", None))
    if method:
        raise _quantised(f"the configuration of {name}", method, None)


def refuse_folder(folder: Path) -> None:
    """Raise StbuildError for a Hugging Face folder whose config.json says AWQ, GPTQ or another method."""
    try:
        config = json.loads((folder / "config.json").read_text())
        method = _method(config.get("quantization_config"))
    except (OSError, ValueError, AttributeError):
        return
    if method:
        raise _quantised("config.json", method, str(folder))


def refuse_tensors(names: Iterable[str], where: str) -> None:
    """Raise StbuildError if tensors are called as AWQ and GPTQ call the parts of a packed matrix."""
    known = set(names)
    packed = sorted(n.removesuffix(".qweight") for n in known if n.endswith(".qweight"))
    for owner in packed[:1]:
        method = "gptq" if f"{owner}.g_idx" in known else "awq"
        if all(f"{owner}.{part}" in known for part in _QUANTISED[method][1]):
            raise _quantised(f"the tensor '{owner}.qweight'", method, where)


def _quantised(what: str, method: str, where: str | None) -> StbuildError:
    label = _QUANTISED[method][0] if method in _QUANTISED else repr(method)
    return StbuildError(
        f"{what} says that the weights are quantised by {label}, which is not supported",
        where=where,
        hint=_FLOATS,
    )


def _method(quantization: object) -> str:
    """The method that a `quantization_config`, a dict or an object, names; "" without one."""
    if quantization is None:
        return ""
    if isinstance(quantization, dict):
        method = quantization.get("quant_method", "unknown")
    else:
        method = getattr(quantization, "quant_method", "unknown")
    return str(getattr(method, "value", method)).lower()


def _first(model: nn.Module, pattern: re.Pattern[str]) -> str:
    """`MixtralExperts in model.layers.0.mlp`: the first module whose class is called so; "" without one."""
    for path, module in model.named_modules():
        if pattern.search(type(module).__name__) and path:
            return f"{type(module).__name__} in {path}"
    return ""
