"""Unmodified Hugging Face classes on an emulated card give the reference's bits, whatever the chunks."""

import os
from pathlib import Path

import pytest

from tests.accelerator import accelerate
from tests.families import FAMILIES, family_model

TOKENS = (3, 5, 7, 9, 11, 2, 1, 4, 60, 33, 21, 8, 40, 12, 13, 14, 50, 51, 52, 22)
QUICK = ("Gemma2", "Gemma3", "Falcon alibi", "GptOss dense")
"""A soft cap; windows and frequencies that differ by layer; biases by distance; sinks."""
CHOSEN = tuple(FAMILIES) if os.environ.get("STBUILD_EXAMPLES") else QUICK
"""Each is compiled, which takes some seconds: all of them where more examples are asked for."""


@pytest.mark.parametrize("family", CHOSEN)
def test_a_family_is_bit_exact(family: str, tmp_path: Path) -> None:
    card = accelerate(family_model(family), tmp_path, channels=2, lanes=1, chunk=4, context=24)
    card.check(TOKENS, (4, 3, 4, 1, 4, 4))
