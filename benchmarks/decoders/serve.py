"""The loop of a contender: requests as JSON lines in, tokens and seconds as JSON lines out."""

import json
import sys
import time
from collections.abc import Sequence
from typing import Protocol


class Decoder(Protocol):
    """A loaded model that decodes greedily, one conversation at a time."""

    def prefill(self, tokens: Sequence[int]) -> int:
        """Forget all; take in `tokens` and return the likeliest next one."""
        ...

    def decode(self, token: int) -> int:
        """Take in one token and return the likeliest next one."""
        ...

    def about(self) -> str:
        """What it is, in some words."""
        ...


def serve(decoder: Decoder) -> None:
    """Answer requests `{"prompt": […], "count": n}` until stdin ends; stop tokens are tokens like others."""
    print(json.dumps({"about": decoder.about()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(answer(decoder, request["prompt"], request["count"])), flush=True)


def answer(decoder: Decoder, prompt: Sequence[int], count: int) -> dict[str, object]:
    """`count` tokens; the first comes out of the prompt, so the decode time is that of `count - 1` steps."""
    start = time.perf_counter()
    tokens = [decoder.prefill(prompt)]
    between, cpu = time.perf_counter(), time.process_time()
    while len(tokens) < count:
        tokens.append(decoder.decode(tokens[-1]))
    end = time.perf_counter()
    return {
        "tokens": tokens,
        "prompt_s": between - start,
        "decode_s": end - between,
        "cpu_s": time.process_time() - cpu,
    }
