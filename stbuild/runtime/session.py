"""One conversation's state on a device: what lies in the KV cache, and how tokens get there."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stbuild.errors import StbuildError
from stbuild.package.bundle import Model
from stbuild.runtime.devices.device import Device

TOKENS, TOKEN, LOGITS = "tokens", "token", "logits"
"""Buffers: token ids of a launch (int32), the greedy token (lane 0), logits of the last token (int32)."""
COUNT, POSITION, HEAD = "n", "pos", "head"
"""Scalars: tokens of a launch, the first one's position, whether logits are asked for."""
LOGITS_FRAC = 16


class Session:
    """Feeds tokens to a device in launches of at most `chunk`, and keeps count of the context.

    The KV cache is the device's, so that a device has one session at a time: `close` it, or use `with`,
    before the next one. A session that is no longer referred to counts as closed.
    """

    def __init__(self, device: Device, model: Model) -> None:
        device.cache_owner.claim(self)
        self._device = device
        self._model = model
        self._tokens = device.buffer(TOKENS).view(np.int32)
        self._token = device.buffer(TOKEN).view(np.int32)
        self._logits = device.buffer(LOGITS).view(np.int32)
        self._history: list[int] = []
        self.launches = 0
        self.cycles = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the device to another session; what is in the KV cache is lost."""
        self._device.cache_owner.release(self)

    @property
    def position(self) -> int:
        """Tokens in the KV cache."""
        return len(self._history)

    @property
    def context(self) -> int:
        """Tokens that the KV cache holds."""
        return self._model.context

    @property
    def room(self) -> int:
        """Tokens that still fit."""
        return self._model.context - self.position

    @property
    def history(self) -> tuple[int, ...]:
        """The tokens in the KV cache."""
        return tuple(self._history)

    def prefill(self, tokens: Sequence[int]) -> int:
        """Take in `tokens` and return the greedy next one; the head runs for the last token only."""
        self._device.cache_owner.check(self)
        self._check(tokens)
        chunk = self._model.chunk
        starts = range(0, len(tokens), chunk)
        for start in starts:
            self._launch(tokens[start : start + chunk], head=start == starts[-1])
        self._device.sync_from_device(TOKEN)
        return int(self._token[0])

    def decode(self, token: int) -> int:
        """Take in one token and return the greedy next one."""
        return self.prefill((token,))

    def logits(self) -> NDArray[np.int32]:
        """Logits of the last token, 16 fraction bits; a copy."""
        self._device.sync_from_device(LOGITS)
        return self._logits[: self._model.vocab_size].copy()

    def rewind(self, position: int) -> None:
        """Forget all tokens from `position` on; what they left in the cache is written over later."""
        if not 0 <= position <= self.position:
            raise ValueError(f"position {position} is not among the {self.position} tokens of the session")
        del self._history[position:]

    def _launch(self, tokens: Sequence[int], head: bool) -> None:
        self._tokens[: len(tokens)] = tokens
        self._device.sync_to_device(TOKENS)
        self._device.start({COUNT: len(tokens), POSITION: self.position, HEAD: int(head)})
        self._device.wait()
        self._history.extend(tokens)
        self.launches += 1
        counter = self._device.cycle_counter
        self.cycles += counter.cycles() if counter else 0

    def _check(self, tokens: Sequence[int]) -> None:
        if not tokens:
            raise StbuildError("the prompt is empty", hint="give at least one token")
        for token in tokens:
            if not 0 <= token < self._model.vocab_size:
                raise StbuildError(f"token {token} is not in the vocabulary of {self._model.vocab_size}")
        if len(tokens) > self.room:
            raise _too_long(len(tokens), self.position, self._model.context)


def _too_long(tokens: int, position: int, context: int) -> StbuildError:
    hint = "shorten the prompt, or build with a longer context"
    if position == 0:
        return StbuildError(f"the prompt has {tokens} tokens, the context holds {context}", hint=hint)
    if position == context:
        return StbuildError(
            f"the context is full: it holds {context} tokens", hint="start a new conversation"
        )
    return StbuildError(
        f"{tokens} more tokens do not fit: the context holds {context}, of which {position} are taken",
        hint=hint,
    )
