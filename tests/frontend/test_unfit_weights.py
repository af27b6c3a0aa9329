"""Weights that would be other ones on the card: a head taken for a copy, a matrix that scales round to 0."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_weights
from stbuild.frontend.model_graph import decode_graph
from tests.models import decoder, tiny_llama


def test_a_head_of_its_own_is_not_taken_for_a_copy_of_the_tied_one(tmp_path: Path) -> None:
    model = decoder(tied=True)
    graph = decode_graph(model, name="tied", context=32).graph
    own = {n: p.detach().contiguous() for n, p in model.named_parameters()}
    table = next(t for n, t in own.items() if "embed" in n)
    mask = {"layers.0.attn.bias": torch.ones(1, 1, 32, 32)}
    save_file({**own, **mask, "lm_head.weight": table.clone()}, tmp_path / "model.safetensors")
    open_weights(tmp_path, graph)
    save_file({**own, "lm_head.weight": table + 1}, tmp_path / "model.safetensors")
    with pytest.raises(
        StbuildError, match=r"'lm_head\.weight' differs from '.*embed.*', which the model uses"
    ):
        open_weights(tmp_path, graph)


def test_a_matrix_too_small_for_its_scales_is_named(tmp_path: Path) -> None:
    graph = decode_graph(tiny_llama(), name="tiny", context=32).graph
    state = {n: p.detach().contiguous() for n, p in tiny_llama().named_parameters()}
    for name in ("model.layers.0.mlp.up_proj.weight", "lm_head.weight"):
        save_file({**state, name: state[name] * 1e-7}, tmp_path / "model.safetensors")
        with pytest.raises(
            StbuildError, match=rf"'{name}': its largest value is .* too small for fp16 scales"
        ):
            open_weights(tmp_path, graph).matrix(name)
        save_file({**state, name: state[name] * 0}, tmp_path / "model.safetensors")
        assert not open_weights(tmp_path, graph).matrix(name).dequantise().any()
