"""Gates, maxima, LoRA and embeddings in layers, 256 wide at default sizes, give the reference's bits."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from stbuild.passes.numerics import FixNumerics
from stbuild.passes.sizes import SizeOverrides
from tests.accelerator import LONG, accelerate, accelerate_graph
from tests.embedded import KINDS, embedded_decoder
from tests.gates import GROUPS, changed_decoder
from tests.lora import lora_decoder, merged_graph
from tests.module_weights import weights_of

WIDE = {"width": 256, "heads": 4, "kv_heads": 4, "head_dim": 64, "rotary_dim": 64, "ffn": 256}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "all_gates": lambda: changed_decoder(*GROUPS, **WIDE),
    "lora": lambda: lora_decoder("peft", 32, **WIDE),
    **{f"embedding_{kind}": partial(embedded_decoder, kind, width=256) for kind in KINDS},
}
QUICK = ("all_gates", "lora")
CHOSEN = tuple(MODELS) if os.environ.get("STBUILD_EXAMPLES") else QUICK
"""Each is compiled, which takes some seconds: all of them where more examples are asked for."""


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_the_card_equals_its_reference(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    card = accelerate(MODELS[name](), tmp_path)
    card.check(LONG[:50], (6, 1, *(8,) * 5, 3))


@pytest.mark.slow
def test_a_card_with_merged_lora_equals_its_reference(tmp_path: Path) -> None:
    """Rank 8, which no linear layer can have: its matrices are added to those beside them when packed."""
    model = lora_decoder("peft", 8, bias=True)
    _, traced = merged_graph(model)
    graph = FixNumerics()(traced.graph)
    assert any("lora_B" in source for each in graph.derived for source in each.sources)
    few = SizeOverrides(channels=2, lanes=1, chunk=4)
    card = accelerate_graph(graph, weights_of(model, graph, 32), traced.tables, tmp_path, overrides=few)
    card.check(tuple(range(1, 12)), (4, 4, 1, 2))
