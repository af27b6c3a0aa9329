"""An answer: what ends it, what it is made of, and how it is listened to while it is made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Self, TypeVar

from stbuild.errors import StbuildError

DEFAULT_TOKENS = 256
"""An answer's tokens, where nobody says how many."""

Piece = TypeVar("Piece")


class End(Enum):
    """Why an answer ended."""

    STOP = "the model ended its answer"
    LENGTH = "as many tokens as were asked for"
    CONTEXT = "the context is full"
    STOPPED = "nobody listened any longer"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What ends an answer."""

    max_tokens: int = DEFAULT_TOKENS
    stop_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise StbuildError(f"max-tokens must be 1 or more, got {self.max_tokens}")


@dataclass(kw_only=True)
class Answer:
    """An answer in the making: its tokens (the stop token is not among them) and text, and what it took.

    `prompt_tokens` counts what the device took in for it, which is not what it had in its KV cache before.
    The text is there at the end; an answer to token ids has none.
    """

    prompt_tokens: int = 0
    prompt_seconds: float = 0.0
    decode_seconds: float = 0.0
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    end: End = End.STOPPED

    @property
    def tokens_per_second(self) -> float:
        """Decode speed: the first token comes out of the prompt and does not count."""
        steps = len(self.tokens) - 1
        return steps / self.decode_seconds if steps > 0 and self.decode_seconds else 0.0

    @property
    def speed(self) -> str:
        """How fast the answer was made, in words."""
        prompt = f"prompt of {self.prompt_tokens} in {self.prompt_seconds:.2f} s"
        count = len(self.tokens)
        if not self.tokens_per_second:
            return f"{count} token{'' if count == 1 else 's'}, {prompt}"
        return f"{count} tokens at {self.tokens_per_second:.1f} tok/s, {prompt}"


class Stream(Iterator[Piece], Generic[Piece]):
    """The pieces of an answer as they are made: texts, or token ids; `answer` is complete at the end."""

    def __init__(self, pieces: Iterator[Piece], answer: Answer) -> None:
        self._pieces = pieces
        self.answer = answer

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Piece:
        return next(self._pieces)

    def rest(self) -> Answer:
        """Listen to the end."""
        for _ in self:
            pass
        return self.answer

    def close(self) -> None:
        """Stop the answer; the device is free again."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
