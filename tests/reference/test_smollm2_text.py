"""SmolLM2's tokenizer from its GGUF, in the runtime: what is encoded and streamed comes back unchanged."""

from pathlib import Path

import pytest

from stbuild.frontend.tokenizer_files import write_tokenizer
from stbuild.runtime.stream import TextStream
from stbuild.runtime.tokenizer import Tokenizer, stop_tokens

DOCS = Path(__file__).parents[2] / "docs"
HARD = (" leading", "12345 67", "a🙂b 漢字 é", "tabs\t\n\n  x", "def f(x):\n    return x**2", "Ünïcödé — “q”")


@pytest.fixture(scope="module")
def folder(smollm2_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("text")
    write_tokenizer(smollm2_gguf, out)
    return out


def test_text_round_trips_whole_and_streamed(folder: Path) -> None:
    tokenizer = Tokenizer(folder / "tokenizer.json")
    for text in (*HARD, *(DOCS / "numerics.md").read_text(encoding="utf-8").splitlines()):
        ids = tokenizer.encode(text, special=False)
        stream = TextStream(tokenizer)
        assert tokenizer.decode(ids) == text
        assert "".join([stream.feed(token) for token in ids]) + stream.finish() == text


def test_the_end_of_a_turn_stops_an_answer(folder: Path) -> None:
    tokenizer = Tokenizer(folder / "tokenizer.json")
    assert tokenizer.size == 49152
    assert stop_tokens(folder) == (tokenizer.token_id("<|im_end|>"),)
