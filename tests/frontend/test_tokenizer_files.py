"""The tokenizer's files: only what the checkpoint itself holds, and damage is told."""

from pathlib import Path

import gguf
import pytest
from tokenizers import Tokenizer

from stbuild.errors import StbuildError
from stbuild.frontend.tokenizer_files import write_tokenizer

TOKENS = ("<|end|>", "a", "b", "ab")


def write_gguf(path: Path, *, end: int, length: int | str = 32) -> Path:
    """A GGUF file with a tokenizer of four tokens; `end` is the id of the one that ends a text."""
    writer = gguf.GGUFWriter(path, "llama")
    kind = gguf.GGUFValueType.UINT32 if isinstance(length, int) else gguf.GGUFValueType.STRING
    writer.add_key_value("llama.context_length", length, kind)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(end)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def written(source: Path, folder: Path) -> set[str]:
    """The names of the files that `source` gives."""
    folder.mkdir()
    write_tokenizer(source, folder)
    return {path.name for path in folder.iterdir()}


def test_a_folder_s_tokenizer_comes_along_but_not_what_lies_beside_a_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "tokenizer.json").write_text("{}")
    (source / "model.safetensors").touch()
    assert written(source, tmp_path / "folder") == {"tokenizer.json"}
    assert written(source / "model.safetensors", tmp_path / "file") == set()


@pytest.mark.parametrize("text", ["[]", "{"])
def test_a_configuration_that_is_no_object_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "tokenizer_config.json").write_text(text)
    with pytest.raises(StbuildError, match="not a tokenizer's configuration"):
        written(tmp_path / "source", tmp_path / "folder")


def test_a_gguf_s_tokenizer_is_its_own_whatever_lies_beside_it(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", end=0)
    for name in ("tokenizer_config.json", "config.json", "tokenizer.json"):
        (tmp_path / name).write_text("not JSON")
    assert written(path, tmp_path / "out") == {"tokenizer.json", "tokenizer_config.json"}
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    assert tokenizer.encode("ab", add_special_tokens=False).ids == [3]


def test_a_special_token_that_is_no_token_is_told(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", end=4)
    with pytest.raises(StbuildError, match="the GGUF file's eos token id 4 is outside its vocabulary of 4"):
        written(path, tmp_path / "out")


def test_a_length_that_is_no_number_is_told(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf", end=0, length="long")
    with pytest.raises(StbuildError, match="context_length 'long' is not an integer"):
        written(path, tmp_path / "out")
