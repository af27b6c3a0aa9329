"""The text of a small model's file: an embedding, a part of the test's own, and a head."""

from textwrap import dedent

_MODEL = '''"""{about}"""

import torch
from torch import Tensor, nn

{mixer}

class Model(nn.Module):
    """Embedding, mixer, head."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.mixer, self.head = nn.Embedding(64, 64), Mixer(), nn.Linear(64, 64, bias=False)

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, cache: object, attention_mask: Tensor
    ) -> Tensor:
        """Logits."""
        return self.head(self.mixer(self.embed(input_ids)))


def model() -> nn.Module:
    """Its parameters are not read."""
    return Model()
'''


def model_text(about: str, mixer: str) -> str:
    """A model around the class `Mixer`, whose text begins in line 7."""
    return _MODEL.format(about=about, mixer=dedent(mixer))
