"""How the next token is chosen: the device's greedy one, or a draw from the logits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.runtime.session import LOGITS_FRAC, Session


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Temperature 0 is greedy. The same seed gives the same tokens."""

    temperature: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise StbuildError(
                f"--temperature must be 0 or more, got {self.temperature}", hint="0 takes the likeliest token"
            )
        if self.seed < 0:
            raise StbuildError(f"--seed must be 0 or more, got {self.seed}")


class Sampler:
    """Chooses token after token by one `Sampling`."""

    def __init__(self, sampling: Sampling) -> None:
        self._temperature = sampling.temperature
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    def choose(self, greedy: int, session: Session) -> int:
        """The next token, given the device's `greedy` one and the session's logits."""
        if self._temperature == 0:
            return greedy
        chances = probabilities(session.logits(), self._temperature)
        return int(
            np.searchsorted(np.cumsum(chances), self._random.random(), side="right").clip(0, len(chances) - 1)
        )


def probabilities(logits: NDArray[np.int32], temperature: float) -> NDArray[np.float64]:
    """Softmax of `logits` (16 fraction bits) at `temperature`."""
    scaled = logits.astype(np.float64) / (2.0**LOGITS_FRAC * temperature)
    weights = np.exp(scaled - scaled.max())
    result: NDArray[np.float64] = weights / weights.sum()
    return result
