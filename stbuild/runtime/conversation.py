"""A conversation on one session: turns, of which the oldest are dropped when the context is full."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from stbuild.errors import StbuildError
from stbuild.runtime.answer import Answer, End, Limits, Stream
from stbuild.runtime.chat import Message
from stbuild.runtime.generate import generate
from stbuild.runtime.sampling import Sampler
from stbuild.runtime.session import Session
from stbuild.runtime.stream import TextStream
from stbuild.runtime.text import TextSide

_FREED = 4
"""Turns are dropped until a quarter of the context is free, so that this does not come with every token."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A message of the person and the model's reply."""

    question: str
    reply: str


class Conversation:
    """Answers message after message; what the device has seen before is not fed to it again."""

    def __init__(self, session: Session, text: TextSide, sampler: Sampler, limits: Limits) -> None:
        text.frame()
        self._session = session
        self._text = text
        self._sampler = sampler
        self._limits = limits
        self._turns: list[Turn] = []
        self.dropped = 0
        """Turns that had to give way since the conversation began."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the device to others."""
        self._session.close()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What the model still sees, the oldest first."""
        return tuple(self._turns)

    def reset(self) -> None:
        """Forget all turns; the system message stays."""
        self._turns.clear()
        self.dropped = 0

    def ask(self, question: str) -> Stream[str]:
        """The reply to `question` as it is made.

        A question that does not fit the context on its own is a StbuildError, and changes nothing. A reply
        that is not listened to till its end counts as far as it was made.
        """
        prompt = self._prompt(question)
        answer = Answer()
        return Stream(self._reply(question, prompt, answer), answer)

    def _reply(self, question: str, prompt: Sequence[int], answer: Answer) -> Iterator[str]:
        def shorter(made: Sequence[int]) -> Sequence[int] | None:
            return self._shorter(question, made)

        made = generate(self._session, prompt, self._sampler, self._limits, answer, shorter)
        try:
            yield from spoken(made, self._text, answer)
        finally:
            if answer.tokens or answer.end is not End.STOPPED:
                self._turns.append(Turn(question=question, reply=answer.text))

    def _prompt(self, question: str) -> Sequence[int]:
        alone, context = self._tokens((), question), self._session.context
        if len(alone) > context:
            raise StbuildError(
                f"the message has {len(alone):,} tokens with what frames it, the context holds {context:,}",
                hint="send a shorter one",
            )
        whole = self._tokens(self._turns, question)
        return whole if len(whole) <= context else self._shorter(question) or alone

    def _shorter(self, question: str, made: Sequence[int] = ()) -> Sequence[int] | None:
        """The tokens up to an unfinished reply without the oldest turns; None if that leaves no room."""
        context = self._session.context
        tokens: Sequence[int] | None = None
        while self._turns and (tokens is None or len(tokens) > context - context // _FREED):
            del self._turns[0]
            self.dropped += 1
            tokens = (*self._tokens(self._turns, question), *made)
        return tokens if tokens is not None and len(tokens) < context else None

    def _tokens(self, turns: Sequence[Turn], question: str) -> tuple[int, ...]:
        messages = [
            Message(role=role, content=content)
            for turn in turns
            for role, content in (("user", turn.question), ("assistant", turn.reply))
        ]
        return self._text.conversation((*messages, Message(role="user", content=question)))


def spoken(tokens: Iterator[int], text: TextSide, answer: Answer) -> Iterator[str]:
    """`tokens` as whole characters; the answer gets its text when they end, or nobody listens any longer."""
    stream = TextStream(text.tokenizer)
    try:
        for token in tokens:
            if piece := stream.feed(token):
                yield piece
        if piece := stream.finish():
            yield piece
    finally:
        answer.text = text.tokenizer.decode(tuple(answer.tokens))
