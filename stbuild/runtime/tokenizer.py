"""A model's tokenizer: text to ids and back by the `tokenizers` library, and the ids that frame a text."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stbuild.errors import StbuildError
from stbuild.package.bundle import TOKENIZER, TOKENIZER_CONFIG

if TYPE_CHECKING:
    import tokenizers

GENERATION_CONFIG = "generation_config.json"


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
            raise StbuildError(f"not a tokenizer: {error}", where=str(path)) from error

    @property
    def size(self) -> int:
        """Ids in the vocabulary, added tokens included."""
        return self._library.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str, *, special: bool) -> tuple[int, ...]:
        """The ids of `text`; with `special`, those that the tokenizer puts around it too."""
        try:
            text.encode()
        except UnicodeEncodeError:
            hint = "convert it, for example with iconv"
            raise StbuildError("the text has bytes in it that are not UTF-8", hint=hint) from None
        return tuple(self._library.encode(text, add_special_tokens=special).ids)

    def decode(self, tokens: tuple[int, ...], *, special: bool = False) -> str:
        """The text of `tokens`, without special tokens unless `special`."""
        return self._library.decode(list(tokens), skip_special_tokens=not special)

    def token_id(self, token: str) -> int | None:
        """The id of a token spelled in full."""
        return self._library.token_to_id(token)


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """How tokens that frame a text are spelled."""

    bos: str | None = None
    eos: str | None = None


def read_special_tokens(path: Path | None) -> SpecialTokens:
    """The framing tokens that a tokenizer_config.json names."""
    if path is None or not path.is_file():
        return SpecialTokens()
    data = _read(path)
    return SpecialTokens(bos=_spelling(data.get("bos_token")), eos=_spelling(data.get("eos_token")))


def read_chat_template(path: Path | None) -> str | None:
    """The chat template inside a tokenizer_config.json, where older checkpoints keep it."""
    template = _read(path).get("chat_template") if path is not None and path.is_file() else None
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template}
        template = named.get("default")
    return template if isinstance(template, str) else None


def stop_tokens(folder: Path) -> tuple[int, ...]:
    """The ids that end an answer: those of generation_config.json, else the tokenizer's end of text."""
    generation = folder / GENERATION_CONFIG
    if generation.is_file():
        ids = _read(generation).get("eos_token_id")
        if ids is not None:
            return _ids(ids, generation)
    eos = read_special_tokens(folder / TOKENIZER_CONFIG).eos
    if eos is None or not (folder / TOKENIZER).is_file():
        return ()
    token = Tokenizer(folder / TOKENIZER).token_id(eos)
    return () if token is None else (token,)


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StbuildError(f"not a tokenizer's configuration: {error}", where=str(path)) from error
    if not isinstance(data, dict):
        raise StbuildError("not a tokenizer's configuration: not a JSON object", where=str(path))
    return data


def _ids(ids: object, where: Path) -> tuple[int, ...]:
    found = ids if isinstance(ids, list) else [ids]
    if not all(type(each) is int for each in found):
        raise StbuildError(f"eos_token_id takes token ids, got {ids!r}", where=str(where))
    return tuple(found)


def _spelling(token: object) -> str | None:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None
