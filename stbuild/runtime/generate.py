"""The loop that makes an answer: prefill, then token after token until something ends it."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from stbuild.runtime.answer import Answer, End, Limits
from stbuild.runtime.sampling import Sampler
from stbuild.runtime.session import Session

MakeRoom = Callable[[Sequence[int]], Sequence[int] | None]
"""Given the tokens of an unfinished answer that has filled the context, the shorter tokens to go on from (the
answer's are their last ones); None when nothing can be left out."""


def no_room(answer: Sequence[int]) -> None:
    """The `MakeRoom` of a prompt, of which nothing can be left out."""


def generate(
    session: Session,
    prompt: Sequence[int],
    sampler: Sampler,
    limits: Limits,
    answer: Answer,
    make_room: MakeRoom = no_room,
) -> Iterator[int]:
    """Yield the tokens of an answer to `prompt`, keeping `answer` up to date.

    What `prompt` shares at its front with the session's tokens is not taken in again.
    """
    token = _take_in(session, prompt, sampler, answer)
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
            shorter = make_room(answer.tokens)
            if shorter is None:
                answer.end = End.CONTEXT
                return
            token = _take_in(session, shorter, sampler, answer)
            continue
        start = perf_counter()
        token = sampler.choose(session.decode(token), session)
        answer.decode_seconds += perf_counter() - start


def _take_in(session: Session, tokens: Sequence[int], sampler: Sampler, answer: Answer) -> int:
    """Make `tokens` all that the session holds, and choose the next one."""
    start = perf_counter()
    known = _common(tokens[:-1], session.history)
    session.rewind(known)
    token = sampler.choose(session.prefill(tokens[known:]), session)
    answer.prompt_tokens += len(tokens) - known
    answer.prompt_seconds += perf_counter() - start
    return token


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences share at the front."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count
