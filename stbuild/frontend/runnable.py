"""What the float check runs: a model on parameters that are fetched as it reads them."""

from collections.abc import Sequence
from typing import Protocol, Self

from torch import Tensor

from stbuild.frontend.parameter_fetching import Parameters, Seen

PREFILL_TOKENS = 3
"""Tokens of the traced prefill: any number above one shows how tokens are laid out."""
LAST_TOKENS = 2
"""Tokens that a module takes at the end of the context: neither one nor those of the traced prefill."""


class Runnable(Protocol):
    """A model that computes logits in float32."""

    def takes_at_once(self, tokens: int) -> bool:
        """Whether so many tokens are one call, so that each tensor in it is of all of them."""
        ...

    def for_another_thread(self) -> Self:
        """The same model, which may run while this one does."""
        ...

    def logits(
        self, parameters: Parameters, tokens: Sequence[int], start: int = 0, seen: Seen | None = None
    ) -> Tensor:
        """The logits [T, vocabulary] of `tokens` from position `start` on.

        The keys and values of the new tokens repeat over all other positions of the cache.
        """
        ...
