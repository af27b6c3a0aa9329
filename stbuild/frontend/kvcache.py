"""The static KV cache that a model is traced with: `update` stores keys and values at the positions.

A plain module calls `cache.update(k, v, layer)` with k and v [1, kv_heads, tokens, head_dim] and gets
the keys and values of all positions, [1, kv_heads, context, head_dim].
"""

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from stbuild.frontend.untyped import CacheItem, CacheLength


class TracedLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers is untyped here
    """One layer's cache as a pure function of the cache before, the positions and the new vectors."""

    is_compileable = True
    is_sliding = False

    def __init__(self, keys: Tensor, values: Tensor, position: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers is untyped here
        self.keys, self.values, self.position = keys, values, position
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the memory comes from outside."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of all positions, the new ones in their places."""
        assert self.keys is not None and self.values is not None
        self.keys = self.keys.index_copy(2, self.position, key_states)
        self.values = self.values.index_copy(2, self.position, value_states)
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The length of the cache and the position it starts at."""
        assert self.keys is not None
        return self.keys.shape[2], 0

    def get_seq_length(self) -> CacheLength:
        """The position of the first new token."""
        first = self.position[0].item()
        torch._check(first >= 0)  # type: ignore[no-untyped-call]  # torch is untyped here
        return first

    def get_max_length(self) -> int:
        """The length of the cache."""
        return self.get_mask_sizes(1)[0]


class Probe(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers is untyped here
    """A layer that only notes the shapes of the keys and values it is given."""

    is_compileable = True
    is_sliding = False

    def __init__(self, context: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers is untyped here
        self.context = context
        self.shapes: tuple[torch.Size, torch.Size] | None = None
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the right shape."""
        self.shapes = (key_states.shape, value_states.shape)
        pad = (0, 0, 0, self.context - key_states.shape[2])
        return torch.nn.functional.pad(key_states, pad), torch.nn.functional.pad(value_states, pad)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The length of the cache and the position it starts at."""
        return self.context, 0

    def get_seq_length(self) -> int:
        """No token has been seen."""
        return 0

    def get_max_length(self) -> int:
        """The length of the cache."""
        return self.context


class GrowingProbes(list[CacheLayerMixin]):
    """A list of `Probe`s that has as many layers as are asked for; masks ask one from the start."""

    def __init__(self, context: int) -> None:
        super().__init__([Probe(context)])
        self.context = context

    def __getitem__(self, i: CacheItem) -> CacheItem:
        while isinstance(i, int) and i >= len(self):
            self.append(Probe(self.context))
        return super().__getitem__(i)


def cache_of(layers: list[CacheLayerMixin]) -> Cache:
    """A transformers cache over `layers`."""
    cache = Cache(layers=[])
    cache.layers = layers  # type: ignore[assignment]  # a list of one kind of layer
    return cache
