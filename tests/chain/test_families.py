"""Unmodified Hugging Face classes on an emulated card give the reference's bits, whatever the chunks."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.accelerator import LONG, accelerate
from tests.families import FAMILIES, family_model

CHUNKS = (4, 3, 4, 1, *(4,) * 12)
"""Over a block of the KV cache and nearly all of the next: some families have 64 positions."""
DEFAULTS: dict[str, Any] = {}
TINY: dict[str, Any] = {"channels": 2, "lanes": 1, "chunk": 4}
CASES = [(family, 4, DEFAULTS) for family in FAMILIES]
"""At the sizes that the compiler chooses, 256 wide or more."""
if "STBUILD_EXAMPLES" in os.environ:
    CASES += [(family, 1, TINY) for family in FAMILIES]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "factor", "sizes"), CASES)
def test_a_family_is_bit_exact(family: str, factor: int, sizes: dict[str, Any], tmp_path: Path) -> None:
    card = accelerate(family_model(family, factor), tmp_path, context=64, **sizes)
    card.check(LONG[:60], CHUNKS)
