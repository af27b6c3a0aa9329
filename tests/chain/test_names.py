"""Whatever modules, kernels and streams are called, the C++ compiles and gives the reference's bits."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tests.accelerator import accelerate
from tests.models import Decoder, DecoderShape, RmsNorm, decoder, tiny_llama
from tests.passes.designs import with_names
from tests.passes.test_names import HOSTILE, naming

TOKENS = (3, 5, 7, 9, 11, 2, 1)
SHAPE = DecoderShape(layers=2, ffn=64)


class Chained(nn.Module):
    """A feed-forward network with two linear ops in a row, and modules called like parts of a design."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.commands = RmsNorm(shape.width, 0.0)
        self.norm_params = RmsNorm(shape.width, 0.0)
        self.a = nn.Linear(shape.width, shape.ffn, bias=False)
        self.b = nn.Linear(shape.ffn, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm_params(self.b(self.a(self.commands(x))))
        return y


def chained() -> Decoder:
    """A decoder whose layers have such a network."""
    model = decoder(SHAPE)
    torch.manual_seed(1)
    for layer in model.layers:
        assert isinstance(layer, nn.Module)
        layer.mlp = Chained(SHAPE)
    return model.requires_grad_(False)


def test_two_linears_in_a_row_and_a_module_called_commands(tmp_path: Path) -> None:
    card = accelerate(chained(), tmp_path, channels=4, lanes=2, chunk=4)
    kernels = {p.kernel for p in card.design.processes}
    streams = {s.name for s in card.design.streams}
    assert "layers_a_q" in kernels & streams
    assert any(p.name == "layers_commands" for p in card.design.processes)
    card.check(TOKENS, (4, 1, 2))


def test_a_design_of_reserved_words_gives_the_same_bits(tmp_path: Path) -> None:
    name = naming(7, HOSTILE)
    options: dict[str, Any] = {"channels": 2, "lanes": 1, "chunk": 4, "context": 16}
    card = accelerate(tiny_llama(), tmp_path, change=lambda design: with_names(design, name), **options)
    card.check(TOKENS, (4, 1, 2))
