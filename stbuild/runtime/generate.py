"""The loop that makes an answer: prefill, then token after token until something ends it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from time import perf_counter

from stbuild.runtime.sampling import Sampler
from stbuild.runtime.session import Session


class End(Enum):
    """Why an answer ended."""

    STOP = "the model ended its answer"
    LENGTH = "as many tokens as were asked for"
    CONTEXT = "the context is full"
    STOPPED = "the person stopped it"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What ends an answer."""

    max_tokens: int
    stop_tokens: tuple[int, ...] = ()


@dataclass
class Answer:
    """An answer in the making: its tokens (the stop token is not among them), and what it took."""

    prompt_tokens: int
    prompt_seconds: float = 0.0
    decode_seconds: float = 0.0
    tokens: list[int] = field(default_factory=list)
    end: End = End.LENGTH

    @property
    def tokens_per_second(self) -> float:
        """Decode speed: the first token comes out of the prompt and does not count."""
        steps = len(self.tokens) - 1
        return steps / self.decode_seconds if steps > 0 and self.decode_seconds else 0.0


def generate(
    session: Session, prompt: Sequence[int], sampler: Sampler, limits: Limits, answer: Answer
) -> Iterator[int]:
    """Yield the tokens of an answer to `prompt`, keeping `answer` up to date."""
    start = perf_counter()
    token = sampler.choose(session.prefill(prompt), session)
    answer.prompt_seconds = perf_counter() - start
    while True:
        if token in limits.stop_tokens:
            answer.end = End.STOP
            return
        answer.tokens.append(token)
        yield token
        if len(answer.tokens) >= limits.max_tokens:
            answer.end = End.LENGTH
            return
        if session.room == 0:
            answer.end = End.CONTEXT
            return
        start = perf_counter()
        token = sampler.choose(session.decode(token), session)
        answer.decode_seconds += perf_counter() - start
