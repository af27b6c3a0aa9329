"""What a GGUF file says of its model must be what the graph has; both numbers and their places are told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stbuild.errors import StbuildError
from stbuild.frontend.gguf_file import GgufFile
from stbuild.frontend.gguf_metadata import check_metadata, rotation
from stbuild.ir.graph import Block, Graph
from stbuild.ir.param import Param
from stbuild.ops.attention import Attention
from stbuild.ops.embed import Embed
from stbuild.ops.norm import Norm
from stbuild.ops.rotary import Rotary

BASE, HEAD, CONTEXT = 10000.0, 64, 32
RIGHT: dict[str, Any] = {
    "llama.block_count": 5, "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2,
    "llama.attention.key_length": HEAD, "llama.embedding_length": 256, "llama.vocab_size": 100,
    "llama.rope.dimension_count": HEAD, "llama.rope.freq_base": BASE, "llama.context_length": CONTEXT,
    "llama.attention.layer_norm_rms_epsilon": float(np.float32(1e-5)),
    "tokenizer.ggml.tokens": ["a"] * 100,
}  # fmt: skip
TURN = Rotary(name="r", width=256, x="n", heads=4, head_dim=HEAD, rotary_dim=HEAD, table="t", origin="attn")


class Field:
    """A metadata field as the gguf package gives it."""

    def __init__(self, value: object) -> None:
        self.value = value

    def contents(self) -> object:
        """What stands in the file."""
        return self.value


def file_of(values: dict[str, Any]) -> GgufFile:
    """A file with these metadata and no tensors."""
    fields = {key: Field(value) for key, value in {"general.architecture": "llama", **values}.items()}
    return GgufFile(path=Path("x.gguf"), fields=fields, tensors={})


def graph_of(*, center: bool = False, context: int = CONTEXT) -> Graph:
    """One plain layer and four that repeat."""
    embed = Embed(name="e", width=256, table=Param(names=("e",), shape=(100, 256)), origin="embed")
    norm = Norm(name="n", width=256, x="e", segment=256, eps=1e-5, center=center, origin="norm")
    attention = Attention(
        name="a", width=256, q="r", k="r", v="r", heads=4, kv_heads=2, head_dim=HEAD, scale=1.0, origin="attn"
    )
    layer = (norm, TURN, attention)
    blocks = (
        Block(name="prologue", count=1, inputs=(), outputs=("a",), ops=(embed, *layer)),
        Block(name="layers", count=4, inputs=("a",), outputs=("a",), ops=layer),
    )
    return Graph(name="x", vocab_size=100, context=context, blocks=blocks)


def table_of(base: float = BASE, *, interleaved: bool = False, factor: float = 1.0) -> np.ndarray[Any, Any]:
    """cos and sin of a rotary embedding."""
    frequencies = base ** (-np.arange(0, HEAD, 2) / HEAD) / factor
    both = np.repeat(frequencies, 2) if interleaved else np.tile(frequencies, 2)
    angles = np.arange(CONTEXT)[:, None] * both
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_right_metadata() -> None:
    check_metadata(file_of(RIGHT), graph_of(), {"t": table_of()})
    check_metadata(file_of({}), graph_of(), {"t": table_of()})
    check_metadata(file_of({**RIGHT, "llama.attention.head_count_kv": [2] * 5}), graph_of())
    check_metadata(file_of({**RIGHT, "llama.context_length": 4096}), graph_of())


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("block_count", 4, "is 4, the model in attn has 5 layers with attention"),
        ("attention.head_count", 8, "is 8, the model in attn has 4 attention heads"),
        ("attention.head_count_kv", 4, "is 4, the model in attn has 2 heads of keys and values"),
        (
            "attention.head_count_kv",
            [2, 2, 1, 2, 2],
            r"is \[2, 2, 1, 2, 2\], the model in attn has 2 heads of",
        ),
        ("attention.key_length", 128, "is 128, the model in attn has 64 elements of a head"),
        ("embedding_length", 512, "is 512, the model in embed has 256 elements of an embedding"),
        ("vocab_size", 128, "is 128, the model has 100 logits"),
        ("rope.dimension_count", 32, "is 32, the model in attn has 64 rotated elements of a head"),
        ("rope.freq_base", 500000.0, "is 500000, the model in attn has 10000 as the base of its rotary"),
        ("attention.layer_norm_rms_epsilon", 1e-6, "is 1e-06, the model in norm has 1e-05 as a norm's eps"),
        ("context_length", 16, r"is 16, the context in BUILD.yaml is 32 \(set `context` to 16 or less\)"),
        ("attention.head_count", "four", "is four, the model in attn has 4 attention heads"),
        ("attention.head_count", True, "is True, the model in attn has 4 attention heads"),
    ],
)
def test_metadata_that_contradict(key: str, value: object, sentence: str) -> None:
    file = file_of({**RIGHT, f"llama.{key}": value})
    with pytest.raises(StbuildError, match=f"x.gguf: the file's llama.{key} {sentence}"):
        check_metadata(file, graph_of(), {"t": table_of()})


def test_a_layer_norm_has_a_key_of_its_own() -> None:
    check_metadata(file_of(RIGHT), graph_of(center=True))
    with pytest.raises(
        StbuildError, match=r"llama.attention.layer_norm_epsilon is 0.001, the model in norm has"
    ):
        check_metadata(file_of({"llama.attention.layer_norm_epsilon": 1e-3}), graph_of(center=True))


def test_more_tokens_than_logits() -> None:
    tokens = {"tokenizer.ggml.tokens": ["a"] * 101}
    with pytest.raises(StbuildError, match=r"tokenizer.ggml.tokens has 101 tokens, the model has 100 logits"):
        check_metadata(file_of(tokens), graph_of())


def test_a_linear_scaling_is_compared() -> None:
    scaled = {**RIGHT, "llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}
    check_metadata(file_of(scaled), graph_of(), {"t": table_of(factor=4.0)})
    for values, table, sentence in (
        (scaled, table_of(), "rope.scaling.factor is 4, the model in attn has 1 as the linear scaling"),
        (RIGHT, table_of(factor=4.0), "rope.scaling.factor is 1, the model in attn has 4 as the linear"),
    ):
        with pytest.raises(StbuildError, match=sentence):
            check_metadata(file_of(values), graph_of(), {"t": table})


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("base", [10000.0, 500000.0, 1e6])
def test_the_base_is_read_from_the_table(base: float, interleaved: bool) -> None:
    turn = Rotary(
        name="r",
        width=256,
        x="n",
        heads=4,
        head_dim=HEAD,
        rotary_dim=HEAD,
        table="t",
        interleaved=interleaved,
    )
    found, factor = rotation(table_of(base, interleaved=interleaved, factor=8.0), turn, HEAD)
    assert found == pytest.approx(base, rel=1e-4) and factor == 8.0
