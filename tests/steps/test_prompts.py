"""Smoke prompts become ids and are checked before anything is compiled; nothing is left out in silence."""

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from stbuild.errors import StbuildError
from stbuild.steps.prompts import SmokePrompts, prompt_ids
from stbuild.steps.weights import check_tokenizer

CONTEXT, VOCABULARY = 16, 258


def wanted(
    *, texts: tuple[str, ...] = (), tokens: tuple[tuple[int, ...], ...] = (), new_tokens: int = 2,
    system: str = "",
) -> SmokePrompts:  # fmt: skip
    """What a project asks for."""
    return SmokePrompts(texts=texts, tokens=tokens, new_tokens=new_tokens, system=system)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer of bytes."""
    vocabulary = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_texts_and_ids_are_both_run(folder: Path) -> None:
    found = prompt_ids(wanted(texts=("ab",), tokens=((1, 2, 3),)), folder, VOCABULARY, CONTEXT)
    assert [len(ids) for ids in found] == [2, 3]
    assert found[1] == [1, 2, 3]


def test_without_prompts_the_first_ids_are_one(tmp_path: Path) -> None:
    assert prompt_ids(wanted(), tmp_path, VOCABULARY, CONTEXT) == [[0, 1, 2, 3]]
    assert prompt_ids(wanted(), tmp_path, 2, CONTEXT) == [[0, 1]]
    assert prompt_ids(wanted(new_tokens=15), tmp_path, VOCABULARY, CONTEXT) == [[0, 1]]


def test_the_last_new_token_needs_no_position(tmp_path: Path) -> None:
    prompt_ids(wanted(tokens=((1,) * 15,)), tmp_path, VOCABULARY, CONTEXT)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (
            wanted(texts=("a" * 50,)),
            r"the prompt 'a{40}…' has 50 tokens; with 2 new ones it does not fit a context of 16 \(shorten",
        ),
        (wanted(tokens=((1,) * 16,)), "has 16 tokens; with 2 new ones it does not fit a context of 16"),
        (
            wanted(tokens=((1, 258),)),
            "the prompt '1 258' has the token id 258, the model's vocabulary ends at 257",
        ),
        (
            wanted(texts=("a",), system="x"),
            "a system message needs a chat template, and the weights bring none",
        ),
    ],
)
def test_a_prompt_that_cannot_be_run(folder: Path, asked: SmokePrompts, sentence: str) -> None:
    with pytest.raises(StbuildError, match=sentence):
        prompt_ids(asked, folder, VOCABULARY, CONTEXT)


def test_texts_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(StbuildError, match="prompts need a tokenizer, and the weights bring none"):
        prompt_ids(wanted(texts=("a",), tokens=((1,),)), tmp_path, VOCABULARY, CONTEXT)


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("tokenizer.json", "{}", r"weights/tokenizer.json: not a tokenizer: Model missing"),
        ("tokenizer.json", "no", r"weights/tokenizer.json: not a tokenizer: "),
        (
            "tokenizer_config.json",
            "[]",
            r"weights/tokenizer_config.json: not a tokenizer's configuration: not a",
        ),
        ("tokenizer_config.json", "{", r"weights/tokenizer_config.json: not a tokenizer's configuration: "),
        ("chat_template.jinja", "{% if %}", r"weights/chat_template.jinja: the chat template is broken: "),
        (
            "generation_config.json",
            '{"eos_token_id": "x"}',
            "weights/generation_config.json: eos_token_id takes",
        ),
        ("generation_config.json", '{"eos_token_id": [1.5]}', r"eos_token_id takes token ids, got \[1.5\]"),
    ],
)
def test_a_tokenizer_that_no_runtime_could_use(folder: Path, file: str, text: str, sentence: str) -> None:
    (folder / file).write_text(text)
    source = folder / "weights"
    source.mkdir()
    with pytest.raises(StbuildError, match=sentence):
        check_tokenizer(folder, source)
