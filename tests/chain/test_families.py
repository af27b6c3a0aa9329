"""Unmodified Hugging Face classes on an emulated card give the reference's bits, whatever the chunks."""

import os
from pathlib import Path

import pytest

from tests.accelerator import accelerate
from tests.families import FAMILIES, family_model

TOKENS = (3, 5, 7, 9, 11, 2, 1, 4, 60, 33, 21, 8, 40, 12, 13, 14, 50, 51, 52, 22)
CHUNKS = (4, 3, 4, 1, 4, 4)
DEFAULTS: dict[str, int] = {}
TINY = {"channels": 2, "lanes": 1, "chunk": 4}
CASES = [(family, 4, DEFAULTS) for family in FAMILIES]
"""At the sizes that the compiler chooses, 256 wide or more."""
if "STBUILD_EXAMPLES" in os.environ:
    CASES += [(family, 1, TINY) for family in FAMILIES]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "factor", "sizes"), CASES)
def test_a_family_is_bit_exact(family: str, factor: int, sizes: dict[str, int], tmp_path: Path) -> None:
    card = accelerate(family_model(family, factor), tmp_path, context=24, **sizes)
    card.check(TOKENS, CHUNKS)
