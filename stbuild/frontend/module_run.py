"""Runs the module that was given, in float32, on weights that are fetched when an operator needs them."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from transformers.cache_utils import CacheLayerMixin

from stbuild.frontend.kvcache import cache_of
from stbuild.frontend.meta_parameters import without_parameter_memory
from stbuild.frontend.model_call import call, use_sdpa
from stbuild.frontend.model_code import model_code
from stbuild.frontend.parameter_fetching import ParameterFetching, Parameters, Seen
from stbuild.frontend.pretrained import is_pretrained
from stbuild.frontend.rope import fix_frequencies
from stbuild.frontend.untyped import CacheItem


@dataclass(frozen=True, kw_only=True, eq=False)
class ModuleRun:
    """A module, whose own parameters are not read, with a KV cache of `context` positions."""

    module: nn.Module
    context: int

    def takes_at_once(self, tokens: int) -> bool:
        """Any number."""
        return True

    def for_another_thread(self) -> Self:
        """A copy: a run puts other parameters into the module."""
        return type(self)(module=copy.deepcopy(self.module), context=self.context)

    def logits(
        self, parameters: Parameters, tokens: Sequence[int], start: int = 0, seen: Seen | None = None
    ) -> Tensor:
        """The logits [T, vocabulary] of one call with `tokens`."""
        model, context = self.module, self.context
        fix_frequencies(model, context)
        if is_pretrained(model):
            use_sdpa(model)
        ids = torch.tensor([list(tokens)])
        positions = torch.arange(start, start + len(tokens))[None]
        with without_parameter_memory(model) as names, torch.no_grad():
            owners = {id(p): names[n] for n, p in model.named_parameters(remove_duplicate=False)}
            cache = cache_of(_Layers(positions[0], context))
            what = f"{type(model).__name__} cannot be run with {len(tokens)} tokens at position {start}"
            with model_code(what), ParameterFetching(owners, parameters, seen):
                logits = call(model, ids, positions, cache, context)
        return logits[0].float().clone()


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers is untyped here
    """A layer's cache that repeats the new keys and values at all other positions."""

    is_compileable = True
    is_sliding = False

    def __init__(self, position: Tensor, context: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers is untyped here
        self.position = position
        self.context = context
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of all positions."""
        place = repeated(self.context, int(self.position[0]), len(self.position))
        return key_states[:, :, place], value_states[:, :, place]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The length of the cache and the position it starts at."""
        return self.context, 0

    def get_seq_length(self) -> Tensor:  # type: ignore[override]
        """The position of the first new token."""
        return self.position[0]

    def get_max_length(self) -> int:
        """The length of the cache."""
        return self.context


class _Layers(list[CacheLayerMixin]):
    """As many layers as are asked for; masks ask one from the start."""

    def __init__(self, position: Tensor, context: int) -> None:
        super().__init__([_Layer(position, context)])
        self.position, self.context = position, context

    def __getitem__(self, i: CacheItem) -> CacheItem:
        while isinstance(i, int) and i >= len(self):
            self.append(_Layer(self.position, self.context))
        return super().__getitem__(i)


def repeated(context: int, start: int, tokens: int) -> Tensor:
    """Which of `tokens` new tokens stands at each position of the cache; the first of them at `start`."""
    return (torch.arange(context) - start) % tokens
