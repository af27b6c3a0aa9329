"""Text to token ids and back, by the `tokenizers` library on the bundle's tokenizer.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stbuild.errors import StbuildError

if TYPE_CHECKING:
    import tokenizers

REPLACEMENT = "\ufffd"


class Tokenizer:
    """A tokenizer.json. Ids are those of the model's vocabulary."""

    def __init__(self, path: Path) -> None:
        try:
            from tokenizers import Tokenizer as Library
        except ImportError:
            raise StbuildError(
                "text needs the Python package tokenizers", hint="pip install tokenizers"
            ) from None
        try:
            self._library: tokenizers.Tokenizer = Library.from_file(str(path))
        except Exception as error:  # the library raises plain Exceptions
            raise StbuildError(f"this is not a tokenizer file: {error}", where=str(path)) from error

    @property
    def size(self) -> int:
        """Ids in the vocabulary, added tokens included."""
        return self._library.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, *, special: bool) -> tuple[int, ...]:
        """The ids of `text`; with `special`, those that the tokenizer puts around it too."""
        return tuple(self._library.encode(text, add_special_tokens=special).ids)

    def decode(self, tokens: tuple[int, ...], *, special: bool = False) -> str:
        """The text of `tokens`, without special tokens unless `special`."""
        return self._library.decode(list(tokens), skip_special_tokens=not special)

    def token_id(self, token: str) -> int | None:
        """The id of a token spelled in full."""
        return self._library.token_to_id(token)

    def stream(self) -> "TextStream":
        """A decoder that is fed token by token."""
        return TextStream(self)


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


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """How tokens that frame a text are spelled."""

    bos: str | None = None
    eos: str | None = None


def read_special_tokens(path: Path | None) -> SpecialTokens:
    """The framing tokens that a tokenizer_config.json names."""
    if path is None:
        return SpecialTokens()
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StbuildError(f"this is not a tokenizer configuration: {error}", where=str(path)) from error
    return SpecialTokens(bos=_spelling(data.get("bos_token")), eos=_spelling(data.get("eos_token")))


def _spelling(token: object) -> str | None:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None
