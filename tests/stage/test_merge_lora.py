"""`merge_lora` through the stages: traced, read from a checkpoint with the unmerged names, and checked."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stbuild.errors import StbuildError
from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.ops.files import read_graph
from stbuild.stage import float_check, trace, weights
from tests.lora import lora_decoder, merged_by_hand

MODEL = """
from tests.lora import lora_decoder


def model():
    return lora_decoder("peft", 8, layers=2)
"""
FILES = (
    "graph",
    "tables",
    "names",
    "lines",
    "text",
    "index",
    "options",
    "report",
    "summary",
    "verdict",
    "tokenizer",
)


@pytest.fixture
def args(tmp_path: Path) -> Namespace:
    """Arguments of all stages, with a model of rank 8 and its checkpoint."""
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "wanted.json").write_text('{"group": 32, "seed": 0}')
    own: Any = lora_decoder("peft", 8, layers=2)
    tensors = {name: p.detach().clone() for name, p in own.named_parameters()}
    save_file(tensors, tmp_path / "w.safetensors")
    paths = {name: str(tmp_path / name) for name in FILES}
    return Namespace(
        **paths, model=str(tmp_path / "model.py"), wanted=str(tmp_path / "wanted.json"), name="mine",
        source=str(tmp_path / "w.safetensors"), context=32, merge_lora=True, formats=None,
    )  # fmt: skip


def test_a_merged_model_is_traced_read_and_checked(args: Namespace) -> None:
    trace.main(args)
    weights.main(args)
    float_check.main(args)
    assert "the graph is the model within" in json.loads(Path(args.summary).read_text())["floats"]
    graph = read_graph(Path(args.graph))
    name = "layers.1.mlp.down_proj.weight"
    merged = open_checkpoint(graph, args.source, Path(args.options)).array(name)
    by_hand = dict(merged_by_hand(lora_decoder("peft", 8, layers=2)).named_parameters())[name]
    np.testing.assert_allclose(merged, by_hand, rtol=1e-5, atol=1e-6)
    assert torch.is_tensor(by_hand) and "lora" not in Path(args.text).read_text()


def test_without_it_the_line_and_the_way_are_told(args: Namespace) -> None:
    args.merge_lora = False
    with pytest.raises(StbuildError, match="has rank 8, which is not a multiple of 32") as found:
        trace.main(args)
    assert "tests/lora.py:" in str(found.value.where) and "merge_lora: true" in str(found.value.hint)
