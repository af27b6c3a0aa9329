"""Tokens as text while they come: what is shown is whole characters, and in the end everything."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Library

from stbuild.errors import StbuildError
from stbuild.runtime.stream import TextStream
from stbuild.runtime.tokenizer import SpecialTokens, Tokenizer, read_special_tokens, stop_tokens


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: Library) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    byte_tokenizer.save(str(path))
    return Tokenizer(path)


@given(text=st.text(max_size=30))
def test_streaming_shows_the_text_in_whole_characters(tokenizer: Tokenizer, text: str) -> None:
    stream = TextStream(tokenizer)
    pieces = [stream.feed(token) for token in tokenizer.encode(text, special=True)]
    assert "".join(pieces) + stream.finish() == text


@given(tokens=st.lists(st.integers(0, 257), max_size=30))
def test_streaming_any_tokens_shows_what_decoding_shows(tokenizer: Tokenizer, tokens: list[int]) -> None:
    stream = TextStream(tokenizer)
    shown = "".join([stream.feed(token) for token in tokens]) + stream.finish()
    shown.encode()
    assert shown == tokenizer.decode(tuple(tokens))


def test_an_emoji_comes_at_once(tokenizer: Tokenizer) -> None:
    stream = TextStream(tokenizer)
    assert [stream.feed(token) for token in tokenizer.encode("a🙂b", special=True)] == [
        "a",
        "",
        "",
        "",
        "🙂",
        "b",
    ]


def test_special_tokens_are_ids_and_not_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("<|im_start|>x<|im_end|>", special=False)
    assert (ids[0], ids[-1]) == (tokenizer.token_id("<|im_start|>"), tokenizer.token_id("<|im_end|>"))
    assert tokenizer.decode(ids) == "x"
    assert tokenizer.decode(ids, special=True) == "<|im_start|>x<|im_end|>"


def test_special_tokens_of_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text('{"bos_token": "<s>", "eos_token": {"content": "</s>"}}')
    assert read_special_tokens(path) == SpecialTokens(bos="<s>", eos="</s>")
    assert read_special_tokens(None) == SpecialTokens()


def test_what_ends_an_answer(tmp_path: Path, byte_tokenizer: Library) -> None:
    assert stop_tokens(tmp_path) == ()
    byte_tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "<|im_end|>"}')
    assert stop_tokens(tmp_path) == (257,)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [0, 257]}')
    assert stop_tokens(tmp_path) == (0, 257)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 2}')
    assert stop_tokens(tmp_path) == (2,)


def test_a_broken_configuration(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(StbuildError, match="not a tokenizer's configuration: not a JSON object"):
        read_special_tokens(tmp_path / "tokenizer_config.json")
