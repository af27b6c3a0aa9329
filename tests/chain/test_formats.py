"""Whatever the fraction bits are, the card gives the reference's bits."""

from pathlib import Path

import pytest
import torch

from stbuild.errors import StbuildError
from stbuild.ir.formats import Formats
from tests.accelerator import LONG, accelerate
from tests.chain.test_float_check import LayerScale, with_ffn
from tests.floats import float_check

FORMATS = Formats(
    residual=21,
    values={
        "layers/attn_norm": 19, "layers/rotary": 14, "layers/rotary_1": 20, "layers/attention": 11,
        "layers/up": 13, "layers/relu": 11, "layers/mul": 7, "layers/down": 9, "layers/mlp_gamma": 23,
        "head/norm": 22,
    },
    parameters={"layers/mlp_gamma": 30},
)  # fmt: skip


def test_the_card_is_bit_exact_with_other_fraction_bits(tmp_path: Path) -> None:
    model = with_ffn(lambda x: torch.relu(x * 300) ** 2)
    for layer in model.layers:
        layer.mlp = LayerScale(layer.mlp, 1e-5).requires_grad_(False)
    with pytest.raises(StbuildError, match="proposes other fraction bits"):
        float_check(model)
    float_check(model, formats=FORMATS)
    card = accelerate(model, tmp_path, channels=2, lanes=1, chunk=4, formats=FORMATS)
    card.check(LONG, (4, 4, 1, 3, 1, *(4,) * 14, 2))
