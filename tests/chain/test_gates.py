"""Gates, maxima, LoRA and embeddings in layers, 256 wide at default sizes, give the reference's bits."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.accelerator import accelerate
from tests.embedded import KINDS, embedded_decoder
from tests.gates import GROUPS, changed_decoder
from tests.lora import lora_decoder

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
    card = accelerate(MODELS[name](), tmp_path, context=32)
    card.check(tuple(range(1, 12)), (6, 1, 4))
