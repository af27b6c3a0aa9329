"""What the float check and the measure of accuracy run: a model on parameters that are fetched as it reads them."""

from collections.abc import Sequence
from typing import Protocol, Self

from torch import Tensor

from stbuild.frontend.fetching import Parameters, Seen


class Runnable(Protocol):
    """A model that computes logits in float32."""

    @property
    def last_tokens(self) -> int:
        """How many tokens it can take at the end of the context, at most 3."""
        ...

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
