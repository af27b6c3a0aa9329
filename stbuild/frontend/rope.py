"""Rotary embeddings whose frequencies follow the length of the sequence, fixed for the context of the build.

A KV cache holds keys that were rotated by one set of frequencies, so the set is that of a full context:
longrope's long factors if the context is beyond the original one, dynamic NTK's base at the context.
"""

import torch
from torch import nn
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from stbuild.errors import StbuildError

_FIXED, _LONG, _DYNAMIC = "default", "longrope", "dynamic"


def fix_frequencies(model: nn.Module, context: int) -> None:
    """Give every rotary embedding of `model` the frequencies for `context` positions, for good."""
    for path, module in model.named_modules():
        kinds = getattr(module, "rope_type", None)
        if isinstance(kinds, dict):
            for layer, kind in kinds.items():
                if _moves(kind):
                    _fix(module, path, context, kind, layer)
                    kinds[layer] = _FIXED
        elif _moves(kinds):
            _fix(module, path, context, str(kinds), None)
            module.rope_type = _FIXED


def _moves(kind: object) -> bool:
    """Whether frequencies of this kind depend on the length of the sequence."""
    return isinstance(kind, str) and (_DYNAMIC in kind or kind == _LONG)


def _fix(module: nn.Module, path: str, context: int, kind: str, layer: str | None) -> None:
    prefix = "" if layer is None else f"{layer}_"
    config = getattr(module, "config", None)
    if config is None or kind not in ROPE_INIT_FUNCTIONS or not hasattr(module, f"{prefix}inv_freq"):
        raise StbuildError(
            f"the rotary embedding {path!r} has frequencies of kind {kind!r}, which follow the sequence",
            hint="give it frequencies that are fixed for the context",
        )
    more = {} if layer is None else {"layer_type": layer}
    device = torch.device("cpu")
    frequencies, scaling = ROPE_INIT_FUNCTIONS[kind](config, device, seq_len=context, **more)
    module.register_buffer(f"{prefix}inv_freq", frequencies, persistent=False)
    setattr(module, f"{prefix}attention_scaling", scaling)
