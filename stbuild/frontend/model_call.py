"""Calls a model with token ids, positions and a cache: a Hugging Face one, or one of the small protocol."""

import inspect
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache

from stbuild.errors import StbuildError
from stbuild.frontend.pretrained import is_pretrained

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def call(model: nn.Module, input_ids: Tensor, position_ids: Tensor, cache: Cache, context: int) -> Tensor:
    """The logits of one call, for a Hugging Face model as for a module of the protocol above."""
    if is_pretrained(model):
        # Falcon adds ALiBi to a mask as long as the tokens so far, unless it is given one of the whole cache.
        every = torch.ones(1, context) if getattr(model.config, "alibi", False) else None
        out = model(
            input_ids=input_ids, position_ids=position_ids, attention_mask=every, past_key_values=cache,
            use_cache=True,
        )  # fmt: skip
        return tensor(out.logits)
    known = inspect.signature(model.forward).parameters
    arguments: dict[str, object] = {"input_ids": input_ids, "position_ids": position_ids}
    arguments["past_key_values" if "past_key_values" in known else "cache"] = cache
    if "attention_mask" in known:
        arguments["attention_mask"] = (
            torch.arange(context)[None, None, None, :] <= position_ids[:, None, :, None]
        )
    missing = [name for name in arguments if name not in known]
    if missing:
        raise StbuildError(
            f"{type(model).__name__}.forward has no argument {missing[0]!r}",
            hint="a model is a Hugging Face causal LM, or has forward(input_ids, position_ids, cache)",
        )
    return tensor(model(**arguments))


def use_sdpa(model: "PreTrainedModel") -> None:
    """SDPA, else attention written out."""
    try:
        model.set_attn_implementation("sdpa")
    except (ValueError, ImportError):
        model.set_attn_implementation("eager")


def tensor(value: object) -> Tensor:
    """`value`, which must be a tensor: the logits."""
    if isinstance(value, Tensor):
        return value
    found = "None" if value is None else f"an object of type {type(value).__name__}"
    raise StbuildError(f"the model's forward returns {found}, not the logits")
