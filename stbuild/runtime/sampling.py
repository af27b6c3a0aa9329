"""How the next token is chosen: the device's greedy one, or a draw from the logits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.runtime.session import LOGITS_FRAC, Session

_LIKELIEST = "temperature 0 takes the likeliest token"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Temperature 0 is greedy. The same seed gives the same tokens.

    `top_k` keeps the k likeliest tokens, and those that are as likely as the last of them; 0 keeps all.
    `top_p` then keeps the fewest of the likeliest whose probabilities add up to p; 1 keeps all.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise StbuildError(f"temperature must be 0 or more, got {self.temperature}", hint=_LIKELIEST)
        if self.top_k < 0:
            raise StbuildError(f"top-k must be 0 or more, got {self.top_k}", hint="0 keeps all tokens")
        if not 0 <= self.top_p <= 1:
            raise StbuildError(f"top-p must be 0 to 1, got {self.top_p}", hint="1 keeps all tokens")
        if self.seed < 0:
            raise StbuildError(f"seed must be 0 or more, got {self.seed}")
        if self.temperature == 0 and (self.top_k, self.top_p) != (0, 1):
            name = "top-k" if self.top_k else "top-p"
            hint = f"{_LIKELIEST}: give a temperature such as 0.7, or leave {name} out"
            raise StbuildError(f"{name} has no effect at temperature 0", hint=hint)


GREEDY = Sampling()


class Sampler:
    """Chooses token after token by one `Sampling`."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def choose(self, greedy: int, session: Session) -> int:
        """The next token, given the device's `greedy` one and the session's logits."""
        if self._sampling.temperature == 0:
            return greedy
        chances = probabilities(session.logits(), self._sampling)
        drawn = np.searchsorted(np.cumsum(chances), self._random.random(), side="right")
        return int(min(drawn, np.flatnonzero(chances)[-1]))


def probabilities(logits: NDArray[np.int32], sampling: Sampling) -> NDArray[np.float64]:
    """The chance of each token, given `logits` (16 fraction bits).

    Temperature, then top-k, then top-p, each as the LogitsWarper of that name in transformers' generate().
    """
    scores = logits.astype(np.float64)
    with np.errstate(over="ignore"):  # at next to no temperature, to minus infinity
        scores = (scores - scores.max()) / (2.0**LOGITS_FRAC * sampling.temperature)
    if 0 < sampling.top_k < len(scores):
        scores[scores < np.partition(scores, -sampling.top_k)[-sampling.top_k]] = -np.inf
    if sampling.top_p < 1:
        rising = np.argsort(scores, kind="stable")
        removed = np.cumsum(_softmax(scores[rising])) <= 1 - sampling.top_p
        removed[-1] = False
        scores[rising[removed]] = -np.inf
    return _softmax(scores)


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(scores - scores.max())
    result: NDArray[np.float64] = weights / weights.sum()
    return result
