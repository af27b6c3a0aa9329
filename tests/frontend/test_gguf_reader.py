"""Arrays that are read at once are those that gguf's own reader finds."""

from pathlib import Path
from typing import Any

import gguf
import pytest

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_file import GgufFile
from stbuild.frontend.gguf_reader import GgufReader

ARRAYS: dict[str, list[Any]] = {
    "x.words": ["a", "", "längere"],
    "x.numbers": [1, -2, 3],
    "x.floats": [0.5, 2.0],
    "x.flags": [True],
}


def written(path: Path) -> Path:
    """A GGUF file without tensors."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, values in ARRAYS.items():
        writer.add_array(key, values)
    writer.add_uint32("x.last", 7)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_arrays_and_what_follows_them(tmp_path: Path) -> None:
    path = written(tmp_path / "x.gguf")
    ours, theirs = GgufReader(path), gguf.GGUFReader(path)
    assert list(ours.fields) == list(theirs.fields)
    for key, field in theirs.fields.items():
        assert ours.fields[key].contents() == field.contents()
        assert ours.fields[key].types == field.types
    assert {key: ours.fields[key].contents() for key in ARRAYS} == ARRAYS


@pytest.mark.parametrize("kept", [0.5, 0.7, 0.8, 0.9])
def test_an_array_that_ends_after_the_file(tmp_path: Path, kept: float) -> None:
    path = written(tmp_path / "x.gguf")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(StbuildError, match="the GGUF file is truncated or damaged"):
        GgufFile.open(path)
