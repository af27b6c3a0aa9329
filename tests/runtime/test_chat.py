"""`stbuild run --chat`: turns, commands, a full context, and what goes wrong in between."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stbuild.errors import StbuildError
from stbuild.package.bundle import Manifest, load_bundle
from stbuild.runtime.accelerator import Accelerator
from stbuild.runtime.chat import Message
from stbuild.runtime.commands import run
from stbuild.runtime.conversation import Conversation
from stbuild.runtime.session import Session
from tests.runtime.conftest import CONTEXT

MakeBundle = Callable[..., Path]
Captured = pytest.CaptureFixture[str]
Say = Callable[[bytes], None]
FRAME = len("user\n\n") + 2 + 1
"""Tokens around a message of a person, and what begins the answer."""


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Puts bytes on standard input."""

    def put(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return put


@pytest.fixture
def endless(make_bundle: MakeBundle, manifest: Manifest) -> Path:
    """A bundle whose answers end only at their limits."""
    return make_bundle(replace(manifest, model=replace(manifest.model, stop_tokens=())))


def prompts(err: str) -> list[int]:
    """How many tokens the device took in for each answer."""
    return [int(count) for count in re.findall(r"prompt of (\d+) ", err)]


def test_a_conversation_feeds_only_what_is_new(make_bundle: MakeBundle, capsys: Captured, say: Say) -> None:
    say(b"Hi\nYo\n")
    assert run(make_bundle(), ["--chat", "--max-tokens", "2"]) == 0
    first, second = prompts(capsys.readouterr().err)
    assert first == FRAME + 2
    assert second < 2 * (FRAME + 2) + len("assistant\n\n") + 1


def test_empty_lines_are_passed_over(make_bundle: MakeBundle, capsys: Captured, say: Say) -> None:
    say(b"\n  \nHi\r\n\n\nYo")
    assert run(make_bundle(), ["--chat", "--max-tokens", "1"]) == 0
    assert len(prompts(capsys.readouterr().err)) == 2


def test_commands(make_bundle: MakeBundle, capsys: Captured, say: Say) -> None:
    say(b"Hi\n/reset\nHi\n/help\n/rest\n/exit now\n /exit\n/exit\nnever read\n")
    assert run(make_bundle(), ["--chat", "--max-tokens", "1"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert prompts(err)[:2] == [FRAME + 2, 1]
    assert "[the conversation begins anew]" in err
    assert "  /reset  forget the conversation; the system message stays\n" in err
    assert "[no command /rest: did you mean '/reset'? /help lists them]" in err
    assert "[/exit stands alone, got 'now' behind it]" in err


def test_a_message_that_does_not_fit_is_left_out(make_bundle: MakeBundle, capsys: Captured, say: Say) -> None:
    say(b"Hi\n" + 100 * b"x" + b"\nYo\n")
    assert run(make_bundle(), ["--chat", "--max-tokens", "2"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert f"[the message has {100 + FRAME} tokens with what frames it, the context holds 64 (send a " in err
    assert len(prompts(err)) == 2


def messages(chat: Conversation, question: str) -> tuple[Message, ...]:
    """The conversation up to `question`."""
    said = [text for turn in chat.turns for text in (("user", turn.question), ("assistant", turn.reply))]
    return tuple(Message(role=role, content=text) for role, text in (*said, ("user", question)))


def test_the_oldest_turns_are_dropped_before_an_answer(endless: Path, capsys: Captured, say: Say) -> None:
    say(b"A\nB\nC\nD\n")
    assert run(endless, ["--chat", "--max-tokens", "1"]) == 0
    err = capsys.readouterr().err
    assert len(prompts(err)) == 4
    assert "[the context of 64 tokens was full: the 2 oldest turns were dropped]" in err
    assert "[the context of 64 tokens is full]" not in err


def test_the_oldest_turns_are_dropped_amid_an_answer(endless: Path) -> None:
    """From there on the answer is what a new session says to the rest of the conversation."""
    with Accelerator.open(endless) as accelerator, accelerator.chat(max_tokens=30) as chat:
        first = chat.ask("AAAAA")
        next(first)
        first.close()
        before = len(accelerator.text().conversation(messages(chat, "B")))
        tokens = chat.ask("B").rest().tokens
        assert len(tokens) == 30 and chat.dropped == 1
        assert [turn.question for turn in chat.turns] == ["B"]
        alone = accelerator.text().prompt("B", raw=False)
    full = CONTEXT - before + 1
    with Accelerator.open(endless) as again:
        rest = again.run((*alone, *tokens[:full]), max_tokens=30 - full)
    assert rest.tokens == tokens[full:] and 1 < full < 30


def test_a_question_and_its_answer_that_fill_the_context(endless: Path, capsys: Captured, say: Say) -> None:
    say(b"A\n" + 20 * b"B" + b"\n")
    assert run(endless, ["--chat", "--max-tokens", "99"]) == 0
    err = capsys.readouterr().err
    assert err.count("[the context of 64 tokens is full]") == 2
    assert err.count("was full: the oldest turn was dropped]") == 1


def test_a_message_that_leaves_room_for_one_token(endless: Path, capsys: Captured, say: Say) -> None:
    say(b"A\n" + (CONTEXT - FRAME) * b"B" + b"\nC\n")
    assert run(endless, ["--chat", "--max-tokens", "5"]) == 0
    assert len(re.findall(r"\[\d tokens? ?[a,]", capsys.readouterr().err)) == 3


def interrupt_after(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the decode step behind so many tokens of the first answer; 0: in its prefill."""
    prefill, left = Session.prefill, [tokens]

    def pressed(session: Session, ids: tuple[int, ...]) -> int:
        left[0] -= 1
        if left[0] == -1:
            raise KeyboardInterrupt
        return prefill(session, ids)

    monkeypatch.setattr(Session, "prefill", pressed)


@pytest.mark.parametrize("tokens", [0, 2])
def test_ctrl_c_stops_an_answer_and_not_the_conversation(
    endless: Path, capsys: Captured, say: Say, monkeypatch: pytest.MonkeyPatch, tokens: int
) -> None:
    say(b"Hi\nYo\n")
    interrupt_after(tokens, monkeypatch)
    assert run(endless, ["--chat", "--max-tokens", "4"]) == 0
    err = capsys.readouterr().err
    assert f"[{tokens} tokens" in err and "[4 tokens at " in err
    assert err.count("[stopped; /exit or Ctrl-D ends the conversation]") == 1


def test_a_question_stopped_before_its_answer_is_forgotten(
    endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(0, monkeypatch)
    with Accelerator.open(endless) as accelerator, accelerator.chat(max_tokens=2) as chat:
        with pytest.raises(KeyboardInterrupt):
            next(chat.ask("A"))
        assert not chat.turns
        chat.ask("B").rest()
        assert [turn.question for turn in chat.turns] == ["B"]


def test_input_that_is_not_utf8(make_bundle: MakeBundle, say: Say) -> None:
    say(b"Hi\n\xff\xfe\n")
    with pytest.raises(StbuildError, match=r"standard input, line 2: not UTF-8 text: .* \(convert the text"):
        run(make_bundle(), ["--chat", "--max-tokens", "1"])


def test_no_standard_input_at_all(make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert run(make_bundle(), ["--chat"]) == 0


def test_a_conversation_has_the_device_to_itself(make_bundle: MakeBundle) -> None:
    with Accelerator(load_bundle(make_bundle())) as accelerator:
        with accelerator.chat() as chat:
            with pytest.raises(StbuildError, match="the device has an open session"):
                accelerator.run((1, 2))
            chat.ask("Hi").rest()
        assert accelerator.run((1, 2), max_tokens=3).tokens
