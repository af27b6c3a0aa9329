"""Tokens as text while they come, held back until they are whole characters."""

from stbuild.runtime.tokenizer import Tokenizer

REPLACEMENT = "\ufffd"


class TextStream:
    """Turns tokens into text as they come, holding back bytes until they are whole characters."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._start = 0
        self._shown = ""

    def feed(self, token: int) -> str:
        """The text that `token` completes; empty while a character is unfinished."""
        self._tokens.append(token)
        text = self._tokenizer.decode(tuple(self._tokens[self._start :]))
        if text.endswith(REPLACEMENT):
            return ""
        return self._advance(text)

    def finish(self) -> str:
        """What was still held back, with replacement characters for what never became whole."""
        return self._advance(self._tokenizer.decode(tuple(self._tokens[self._start :])))

    def _advance(self, text: str) -> str:
        """Show what is new in `text`; start afresh at its last token, which is context for spaces."""
        new = text[len(self._shown) :]
        self._start = max(len(self._tokens) - 1, 0)
        self._shown = self._tokenizer.decode(tuple(self._tokens[self._start :]))
        return new
