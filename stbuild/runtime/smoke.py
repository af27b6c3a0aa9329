"""The smoke test of a bundle: its prompts through the device, with everything that a comparison needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from stbuild.package.bundle import Model
from stbuild.runtime.devices.device import Device, Taps
from stbuild.runtime.session import Session


@dataclass(frozen=True, kw_only=True, eq=False)
class SmokeRun:
    """One prompt's way through the device, greedy and without regard to stop tokens.

    `logits` [tokens, vocab_size] int32 belong to the tokens one by one; `taps` hold, by stream, all
    words that passed while the prompt and the tokens were taken in. Seconds are those of this host.
    """

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logits: NDArray[np.int32]
    taps: dict[str, bytes]
    prompt_seconds: float
    decode_seconds: float
    launches: int
    cycles: int


class Recorder:
    """Collects the words of tapped streams."""

    def __init__(self, taps: Taps, streams: Sequence[str]) -> None:
        self._words: dict[str, list[bytes]] = {stream: [] for stream in streams}
        for stream, words in self._words.items():
            taps.tap(stream, words.append)

    def take(self) -> dict[str, bytes]:
        """What passed since the last call."""
        taken = {stream: b"".join(words) for stream, words in self._words.items()}
        for words in self._words.values():
            words.clear()
        return taken


def run_prompt(
    device: Device, model: Model, prompt: Sequence[int], max_tokens: int, recorder: Recorder | None = None
) -> SmokeRun:
    """Take in `prompt`, then go on greedily up to `max_tokens` tokens or the end of the context."""
    with Session(device, model) as session:
        start = perf_counter()
        tokens = [session.prefill(prompt)]
        between = perf_counter()
        logits = [session.logits()]
        while len(tokens) < max_tokens and session.room:
            tokens.append(session.decode(tokens[-1]))
            logits.append(session.logits())
    return SmokeRun(
        prompt=tuple(prompt),
        tokens=tuple(tokens),
        logits=np.stack(logits),
        taps=recorder.take() if recorder else {},
        prompt_seconds=between - start,
        decode_seconds=perf_counter() - between,
        launches=session.launches,
        cycles=session.cycles,
    )
