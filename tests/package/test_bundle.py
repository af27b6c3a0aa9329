"""The manifest's schema: what is written is read, and what does not fit is named."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stbuild.errors import StbuildError
from stbuild.package import schema
from stbuild.package.bundle import (
    Argument,
    BufferArgument,
    Manifest,
    Model,
    Provenance,
    ScalarArgument,
    link,
)

buffers = st.builds(
    BufferArgument, buffer=st.text("ab", min_size=1), bytes=st.integers(1, 2**40), writable=st.booleans(),
    file=st.none() | st.just("weights/x.bin"), first_bank=st.integers(0, 31), last_bank=st.integers(0, 31),
)  # fmt: skip
scalars = st.builds(ScalarArgument, scalar=st.text("cd", min_size=1), bytes=st.sampled_from([4, 8]))
ids = st.lists(st.integers(0, 9)).map(tuple)
models = st.builds(
    Model, vocab_size=st.integers(1, 10**6), context=st.integers(1, 4096), chunk=st.integers(1, 128),
    weights=st.sampled_from(Provenance), weights_source=st.text(), stop_tokens=ids,
)  # fmt: skip


def argument_name(argument: Argument) -> str:
    return argument.buffer if isinstance(argument, BufferArgument) else argument.scalar


manifests = st.builds(
    Manifest, format=st.just(2), name=st.text(), platform=st.just("u55c"), target=st.just("sw_emu"),
    xclbin=st.just("x.xclbin"), model=models,
    arguments=st.lists(buffers | scalars, max_size=4, unique_by=argument_name).map(tuple),
)  # fmt: skip


@given(manifests)
def test_from_json_inverts_to_json(manifest: Manifest) -> None:
    assert schema.from_json(Manifest, schema.to_json(manifest), "manifest.json") == manifest


def sample() -> dict[str, Any]:
    return {
        "format": 2, "name": "m", "platform": "u55c", "target": "sw_emu", "xclbin": "m.xclbin",
        "model": {"vocab_size": 16, "context": 8, "chunk": 4, "weights": "real", "weights_source": "x"},
        "arguments": [
            {"buffer": "kv", "bytes": 64, "file": None, "writable": True, "first_bank": 0, "last_bank": 1},
            {"scalar": "n", "bytes": 4},
        ],
    }  # fmt: skip


def changed(path: str, value: object) -> str:
    data = sample()
    *way, last = path.split(".")
    place: Any = data
    for key in way:
        place = place[int(key)] if key.isdecimal() else place[key]
    if value is KeyError:
        del place[last]
    else:
        place[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("name", 3, "name is 3, not a text"),
        ("name", KeyError, "name is missing"),
        ("more", 1, "more is not known"),
        ("format", 1, "this bundle has format 1, this stbuild reads format 2: build it again"),
        ("model", [], "model is not a map"),
        ("model.chunk", True, "model.chunk is true, not a whole number"),
        ("model.weights", "good", "model.weights is \"good\", not one of 'real', 'synthetic'"),
        ("arguments", {}, "arguments is not a list"),
        ("arguments.0.bytes", "64", r"arguments\[0\].bytes is \"64\", not a whole number"),
        ("arguments.0.bytes", 0, "buffer 'kv' has 0 bytes"),
        ("arguments.0.file", "../x", "file '../x' of buffer 'kv' leaves the bundle"),
        ("arguments.1.scalar", "kv", "argument 'kv' is given twice in the manifest"),
    ],
)
def test_a_manifest_that_does_not_fit(path: str, value: object, sentence: str) -> None:
    with pytest.raises(StbuildError, match="manifest.json: " + sentence):
        schema.from_json(Manifest, changed(path, value), "manifest.json")


def test_a_manifest_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": ')
    with pytest.raises(
        StbuildError, match=r"manifest.json: this is not JSON: Expecting value: line 1 column 10"
    ):
        schema.read(Manifest, tmp_path / "manifest.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(StbuildError, match=r"deep.json: this JSON is nested too deeply"):
        schema.read(Manifest, tmp_path / "deep.json")
    with pytest.raises(StbuildError, match=r"none.json: the file cannot be read: No such file"):
        schema.read(Manifest, tmp_path / "none.json")


def test_weights_are_linked_not_copied(tmp_path: Path) -> None:
    weights = tmp_path / "in/memory"
    weights.mkdir(parents=True)
    (weights / "a").write_bytes(b"x")
    for _ in range(2):
        link(weights / "a", tmp_path / "out/bundle/weights/a")
    assert (tmp_path / "out/bundle/weights/a").readlink() == Path("../../../in/memory/a")
    assert (tmp_path / "out/bundle/weights/a").read_bytes() == b"x"
    with pytest.raises(StbuildError, match="c is missing"):
        link(weights / "c", tmp_path / "out/d")
