"""`merge_lora` through the steps: traced, read from a checkpoint with the unmerged names, and checked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stbuild.frontend.checkpoint import open_checkpoint
from stbuild.ops.files import read_graph
from stbuild.steps.float_check import FloatCheck
from stbuild.steps.trace import Trace
from stbuild.steps.weights import Weights
from tests.lora import lora_decoder, merged_by_hand

MODEL = """
from tests.lora import lora_decoder


def model():
    return lora_decoder("peft", 8, layers=2)
"""
Made = dict[str, Any]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A model of rank 8, its checkpoint, and a place for what the steps make, by the names of fields."""
    (tmp_path / "model.py").write_text(MODEL)
    own: Any = lora_decoder("peft", 8, layers=2)
    tensors = {name: p.detach().clone() for name, p in own.named_parameters()}
    save_file(tensors, tmp_path / "w.safetensors")
    names = (
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
    return {name: tmp_path / name for name in names} | {
        "model": tmp_path / "model.py",
        "source": tmp_path / "w.safetensors",
    }


def traced(made: Made, *, merge_lora: bool) -> None:
    """Trace the model."""
    files = {name: made[name] for name in ("model", "graph", "tables", "names", "lines", "text")}
    Trace[Path](**files, name="mine", context=32, merge_lora=merge_lora).run()


def test_a_merged_model_is_traced_read_and_checked(made: Made) -> None:
    traced(made, merge_lora=True)
    read = {
        name: made[name] for name in ("graph", "tables", "names", "source", "index", "options", "tokenizer")
    }
    Weights[Path](**read, group=32, seed=0).run()
    compared = {name: made[name] for name in ("graph", "tables", "lines", "model", "source", "options",
                                              "tokenizer", "report", "summary", "verdict")}  # fmt: skip
    FloatCheck[Path](**compared, merge_lora=True).run()
    assert "the graph is the model within" in json.loads(made["summary"].read_text())["floats"]
    graph = read_graph(made["graph"])
    name = "layers.1.mlp.down_proj.weight"
    merged = open_checkpoint(graph, made["source"], made["options"]).array(name)
    by_hand = dict(merged_by_hand(lora_decoder("peft", 8, layers=2)).named_parameters())[name]
    np.testing.assert_allclose(merged, by_hand, rtol=1e-5, atol=1e-6)
    assert torch.is_tensor(by_hand) and "lora" not in made["text"].read_text()


def test_without_it_the_product_stays_two_layers(made: Made) -> None:
    traced(made, merge_lora=False)
    assert "lora_B.default.weight.padded [64, 32]" in made["text"].read_text()
