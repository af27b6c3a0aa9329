"""Greedy generation with the reference, token by token."""

from collections.abc import Collection, Sequence

from torch import Tensor

from stbuild.reference.interpreter import Reference, State


def generate(
    reference: Reference, prompt: Sequence[int], count: int, stop: Collection[int] = ()
) -> tuple[int, ...]:
    """At most `count` tokens after `prompt`, up to and including the first that is in `stop`."""
    state = State()
    tokens = [greedy(reference.run(prompt, state).logits)]
    while len(tokens) < count and tokens[-1] not in stop:
        tokens.append(greedy(reference.run(tokens[-1:], state).logits))
    return tuple(tokens)


def greedy(logits: Tensor) -> int:
    """The lowest id among the largest of the last token's logits [T, vocabulary]."""
    return int((logits[-1] == logits[-1].max()).nonzero()[0])
